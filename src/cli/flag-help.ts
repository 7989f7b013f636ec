/** A flag as help shows it. */
import type { CliFlag } from "../model/cli-flags.ts";

/** A flag, how it is read and what help says of it. */
export interface FlagHelp extends CliFlag {
  /** One letter. */
  readonly short?: string;
  /** What stands for the value in help: "FILE". */
  readonly value?: string;
  readonly text: string;
}
