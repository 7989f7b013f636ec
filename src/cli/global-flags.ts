/** The flags that every command takes, with what help says of them. Names and kinds come from the model. */

import { logLevels } from "../log.ts";
import { type CliFlag, type CliFlagName, cliFlags } from "../model/cli-flags.ts";
import { engineNames } from "../model/engine-name.ts";
import type { FlagHelp } from "./flag-help.ts";

const texts: Readonly<Record<CliFlagName, Omit<FlagHelp, keyof CliFlag>>> = {
  kubeconfig: { value: "FILE", text: "the kubeconfig; default $KUBECONFIG, then ~/.kube/config" },
  context: { value: "NAME", text: "the kubeconfig's context; default the current one (also $KUBECONTEXT)" },
  namespace: { value: "NAMESPACE", text: "only Services of this namespace; may be repeated; default all" },
  "skip-namespace": { value: "NAMESPACE", text: "no Services of this namespace; may be repeated" },
  "cluster-domain": { value: "NAME", text: "the cluster's DNS domain; default cluster.local" },
  "ip-cidr": { value: "RANGE", text: "where addresses are taken from; default 127.0.0.0/8" },
  "hosts-file": { value: "FILE", text: "the hosts file; default the system's" },
  socket: { value: "FILE", text: "the daemon's socket" },
  selector: { value: "LABELS", text: "only Services with these labels, as kubectl's --selector" },
  "short-names": {
    value: "NAMESPACE",
    text: "whose Services get their bare name too, or off; default, also without a value, the context's namespace",
  },
  "allow-suffix": {
    value: "NAMESPACE",
    text: "write NAME.NAMESPACE though the namespace is a top-level domain; may be repeated",
  },
  "skip-port": { value: "PORT", text: "never listen on this port; may be repeated" },
  "port-forward-engine": {
    value: "ENGINE",
    text: "the way that port-forwards go; default auto, the first that works",
    choices: ["auto", ...engineNames],
  },
  "expose-image": {
    value: "IMAGE",
    text: "the image with an sshd that stands in for an exposed service; default the one of this version",
  },
  "expose-lease": {
    value: "DURATION",
    text: "without a sign of life for so long an exposure counts as forgotten; default 60s",
  },
  "expose-timeout": {
    value: "DURATION",
    text: "how long an exposure may take to start before it is given up; default 3m",
  },
  "state-dir": {
    value: "FOLDER",
    text: "the user's own folder for what is remembered; default $XDG_STATE_HOME/localizer",
  },
  "root-state-dir": {
    value: "FOLDER",
    text: "root's own folder for the hosts file's backup; default /var/lib/localizer",
  },
  user: { value: "NAME", env: false, text: "started as root: the user that everything but the helper runs as" },
  "allow-root-exec": { text: "as plain root, run the kubeconfig's credential plug-ins all the same" },
  "no-helper": {
    text: "do without root: ports below 1024 move up by 8000 (80 becomes 8080), and no names are written",
  },
  "log-level": {
    value: "LEVEL",
    text: "debug, info, warn or error; default info (also $LOG_LEVEL)",
    choices: logLevels,
  },
  "log-format": { value: "FORMAT", text: "text or json; default text (also $LOG_FORMAT)", choices: ["text", "json"] },
  help: { env: false, text: "say how a command is used" },
  version: { env: false, text: "say which version this is" },
};

/** By name without dashes, in the order of help. */
export const globalFlags: Readonly<Record<string, FlagHelp>> = Object.fromEntries(
  Object.entries(texts).map(([name, text]) => {
    // Object.entries gives the keys of `texts` back as strings; they are names of flags by its type.
    const flag = cliFlags[name as CliFlagName];
    return [name, { ...flag, ...text }];
  }),
);
