/** Which socket a command talks to. */
import { defaultSocket } from "../client/default-socket.ts";
import { type FlagValues, one } from "./flag-values.ts";
import type { CliIo } from "./io.ts";

/**
 * The one that --socket names, else the one that `defaultSocket` finds.
 * @throws LocalizerError as `defaultSocket` does
 */
export async function findSocket(
  flags: FlagValues,
  io: Pick<CliIo, "env" | "uid">,
  machine: Parameters<typeof defaultSocket>[1] = {},
): Promise<string> {
  return one(flags, "socket") ?? (await defaultSocket(io, machine));
}
