/**
 * The helper's program, as sudo starts it: `main.ts [--hosts-file=…] [--socket-link=…] [--range=…] [--state-dir=…]`, with the
 * channel on the descriptor that NODE_CHANNEL_FD names; with `--detach` on descriptor 0 without a name, see detach.ts. Nothing but
 * launch-sudo.ts starts it.
 */
import { parseArgs } from "node:util";
import { LocalizerError } from "../errors.ts";
import { channelToParent } from "./channel.ts";
import { helperConfig } from "./config.ts";
import { abortedByCrash } from "./crash.ts";
import { detachFlag, startSecondStage } from "./detach.ts";
import { serveHelper } from "./root.ts";
import { lookUpUser, requestedUser } from "./user.ts";
import { writableProgramFiles } from "./warnings.ts";

const say = (sentence: string) => {
  process.stderr.write(`localizer helper: ${sentence}\n`);
};

// Ctrl-C and the closing of a terminal go to every process of the group, and a service manager's TERM often too. The order of
// the end must not hang on who is reached first: the user's part decides, and its end closes the channel, which is heard here.
for (const signal of ["SIGINT", "SIGHUP", "SIGTERM", "SIGQUIT"] as const) process.on(signal, () => {});
// A terminal that is gone must not keep the helper from tidying up.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
const crash = abortedByCrash(say);

try {
  if (process.argv.includes(detachFlag)) {
    startSecondStage(import.meta.filename, process.argv.slice(2));
    process.exit();
  }
  const channel = channelToParent();
  if (channel === undefined) {
    throw new LocalizerError("usage", "Cannot serve without a channel: this program is started by localizer");
  }
  const { values } = parseArgs({
    options: {
      "hosts-file": { type: "string" },
      "socket-link": { type: "string" },
      range: { type: "string" },
      "state-dir": { type: "string" },
    },
  });
  const given = {
    hostsFile: values["hosts-file"],
    socketLink: values["socket-link"],
    range: values.range,
    stateDir: values["state-dir"],
  };
  const isRoot = process.geteuid?.() === 0;
  const request = isRoot ? requestedUser(undefined, process.env) : undefined;
  const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const [writable] = isRoot ? writableProgramFiles() : [];
  if (writable !== undefined) say(`Others can write "${writable}", which runs as root here`);
  await serveHelper(channel, helperConfig(given, request === undefined ? self : lookUpUser(request)), say, crash);
  if (crash.aborted) process.exitCode = 1;
} catch (error) {
  say(LocalizerError.from(error).message);
  process.exitCode = 1;
}
// Nothing is left to do, whatever still holds the loop.
process.exit();
