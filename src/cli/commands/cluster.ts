/** `localizer cluster manifest`: prints what puts forgotten exposures back in the cluster itself, for whoever may install it. */
import type { ManifestWish, PrintManifest } from "../../daemon/cluster-manifest.ts";
import { LocalizerError } from "../../errors.ts";
import { isDnsLabel, isHostName } from "../../model/host-name.ts";
import type { Command } from "../command.ts";
import { namespacesOf } from "../daemon-settings.ts";
import { parseDuration } from "../duration.ts";
import { type FlagValues, many, one } from "../flag-values.ts";
import { version } from "../version.ts";

/** Exits with 0 when it is printed. */
export const cluster: Command = clusterCommand();

/** The command; `load` gives what makes the text, by default from the daemon's room. */
export function clusterCommand(load: () => Promise<PrintManifest> = loadManifest): Command {
  // What is printed depends on nothing but the command line: variables are settings of this machine's daemon.
  const own = { type: "string", env: false } as const;
  return {
    name: "cluster",
    operands: "manifest",
    maxOperands: 1,
    words: ["manifest"],
    summary: "print what restores forgotten exposures from within the cluster",
    details:
      'Prints YAML for "kubectl apply -f -": a Deployment of one pod that runs "localizer restore --every", with the rights for it and no others. Asks no cluster, and needs no daemon. Without --namespace the namespace "localizer" is made with it; another one has to exist.',
    flags: {
      namespace: { ...own, multiple: true, value: "NAMESPACE", text: "where it runs; default localizer" },
      "watch-namespace": {
        ...own,
        multiple: true,
        value: "NAMESPACE",
        text: "look in this namespace, with rights in no other; may be repeated; default all",
      },
      kind: {
        ...own,
        multiple: true,
        value: "PLURAL.GROUP",
        text: "a custom resource with a scale subresource, such as rollouts.argoproj.io; may be repeated",
      },
      grace: {
        ...own,
        value: "DURATION",
        text: "so much longer than it promised an exposure may be silent; default 10m",
      },
      every: { ...own, value: "DURATION", text: "between two looks; default 1m" },
      image: { ...own, value: "IMAGE", text: "the image with localizer; default the one of this version" },
    },
    async run({ io, flags, operands: [word] }) {
      if (word !== "manifest") {
        const what = word === undefined ? 'Command "cluster" needs a word' : `There is no command "cluster ${word}"`;
        throw new LocalizerError("usage", `${what}: want "cluster manifest"`);
      }
      const wish = wishOf(flags);
      io.stdout((await load())(wish));
      return 0;
    },
  };
}

/** @throws LocalizerError `usage` for the first value that cannot be used */
function wishOf(flags: FlagValues): ManifestWish {
  const [namespace, ...more] = namespacesOf(flags, "namespace");
  if (more.length > 0)
    throw new LocalizerError("usage", "Cannot run it in several namespaces: name one with --namespace");
  return {
    namespace,
    image: imageOf(flags),
    version: version(),
    watched: [...new Set(namespacesOf(flags, "watch-namespace"))],
    kinds: [...new Set(many(flags, "kind"))].map(kindOf),
    grace: durationOf(flags, "grace", "10m", 0),
    every: durationOf(flags, "every", "1m", 1_000),
  };
}

function durationOf(flags: FlagValues, name: string, otherwise: string, minMs: number): string {
  const text = one(flags, name) ?? otherwise;
  if (parseDuration(text, name) >= minMs) return text;
  throw new LocalizerError("usage", `Cannot use "${text}" for --${name}: want ${minMs / 1_000} s or more`);
}

function imageOf(flags: FlagValues): string | undefined {
  const image = one(flags, "image");
  if (image === undefined || /^[\w.:/@-]+$/.test(image)) return image;
  throw new LocalizerError("usage", `Cannot use "${image}" for --image: it is no name of an image`);
}

function kindOf(text: string): ManifestWish["kinds"][number] {
  const dot = text.indexOf(".");
  const [plural, group] = [text.slice(0, Math.max(dot, 0)), text.slice(dot + 1)];
  if (isDnsLabel(plural) && isHostName(group)) return { plural, group };
  throw new LocalizerError("usage", `Cannot use "${text}" for --kind: want PLURAL.GROUP, such as rollouts.argoproj.io`);
}

async function loadManifest(): Promise<PrintManifest> {
  return (await import("../../daemon/cluster-manifest.ts")).clusterManifest;
}
