/** `localizer cleanup`: removes what killed runs have left, for whoever does not want to start a daemon for it. */
import type { DaemonOptions } from "../../daemon/daemon-options.ts";
import type { Command } from "../command.ts";
import { daemonSettings } from "../daemon-settings.ts";

/** Removes; resolves to what there was, in a few words each. */
export type CleanUp = (options: DaemonOptions, signal: AbortSignal) => Promise<readonly string[]>;

/** Exits with 0 also when there was nothing to remove, with 5 when root's help is refused. */
export const cleanup: Command = cleanupCommand();

/** The command; `load` gives what cleans up, by default from the daemon's room. */
export function cleanupCommand(load: () => Promise<CleanUp> = loadCleanUp): Command {
  return {
    name: "cleanup",
    operands: "",
    maxOperands: 0,
    summary: "remove what a killed daemon has left: names, link, folder, addresses",
    details: "Asks sudo for the helper, which does this at each start. A daemon that runs loses nothing.",
    flags: {},
    async run({ io, flags }) {
      const stop = new AbortController();
      using _requests = io.onStop(() => stop.abort());
      const options = daemonSettings(flags, io);
      const removed = await (await load())(options, stop.signal);
      for (const what of removed) io.stdout(`Removed ${what}\n`);
      if (removed.length === 0) io.stdout("Nothing was left behind\n");
      return 0;
    },
  };
}

async function loadCleanUp(): Promise<CleanUp> {
  return (await import("../../daemon/cleanup.ts")).cleanUp;
}
