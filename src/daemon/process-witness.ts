/** Who this process is, for journals that a later one reads: on this machine, or on another with the same home folder. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { LocalizerError } from "../errors.ts";
import type { ProcessWitness } from "../expose/journal.ts";
import { isRunning, type ProcessIdentity, processIdentity } from "../helper/process-identity.ts";
import { numberAt, textAt } from "../kube/json.ts";

/** What a machine without /proc says of its boot. */
const unknownBoot = "unknown";

/** Who this process is, so that a later one can tell that it is dead. @throws LocalizerError `internal` when it cannot be told from others */
export async function processWitness(): Promise<ProcessWitness> {
  const identity = await processIdentity(process.pid);
  if (identity === undefined) throw new LocalizerError("internal", "Cannot tell which process this is");
  const machine = await thisMachine();
  return {
    self: { ...identity, machine },
    isRunning: async (value) => {
      const writer = parseIdentity(value);
      return writer !== undefined && (await isRunning(writer));
    },
    isElsewhere: async (value) => {
      const of = textAt(value, "machine");
      // An earlier localizer did not say.
      if (of === undefined || of === machine) return false;
      // The same boot is the same machine, whatever it is called by now.
      return identity.bootId === unknownBoot || textAt(value, "bootId") !== identity.bootId;
    },
  };
}

/** Its name, too: containers and clones of one image have the same id (machine-id(5)), and not every system has one. */
async function thisMachine(): Promise<string> {
  const id = await readFile("/etc/machine-id", "latin1").catch(() => "");
  return `${hostname()}/${id.trim()}`;
}

/** Undefined when it says nothing that can be understood: no process of ours has written that, and none lives by it. */
function parseIdentity(value: unknown): ProcessIdentity | undefined {
  const pid = numberAt(value, "pid");
  const [startTime, bootId] = [textAt(value, "startTime"), textAt(value, "bootId")];
  if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
  const pidNamespace = textAt(value, "pidNamespace");
  return { pid, startTime, bootId, ...(pidNamespace === undefined ? {} : { pidNamespace }) };
}
