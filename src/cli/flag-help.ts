/** A flag as help shows it. */
import type { CliFlag } from "../model/cli-flags.ts";

/** A flag, how it is read and what help says of it. */
export interface FlagHelp extends CliFlag {
  /** One letter. */
  readonly short?: string;
  /** What stands for the value in help: "FILE". Those of FILE, FOLDER and NAMESPACE can be completed. */
  readonly value?: string;
  readonly text: string;
  /** The words that may be its value, if it takes no others. */
  readonly choices?: readonly string[];
  /** False when the environment does not count: as a rule each flag is a variable too. */
  readonly env?: false;
  /** The flag whose variable does not count when this switch is given. */
  readonly beats?: string;
}
