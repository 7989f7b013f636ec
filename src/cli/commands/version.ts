/** `localizer version`: which one this is. */
import type { Command } from "../command.ts";
import { version as ownVersion } from "../version.ts";

/** Prints the program's name and version. */
export const version: Command = {
  name: "version",
  operands: "",
  maxOperands: 0,
  summary: "say which version this is",
  details: "",
  flags: {},
  async run({ io }) {
    io.stdout(`localizer ${ownVersion()}\n`);
    return 0;
  },
};
