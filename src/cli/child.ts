/** A program beside this one, and what both may be told. */

/** What asks to stop, by name. */
export const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The signals that ask to stop. */
export type StopRequest = (typeof stopSignals)[number];

/** A program that runs beside this one, in the same terminal. */
export interface Child {
  /** Resolves with its exit code when it has ended; 128 and the signal's number when one has ended it. Never rejects. */
  readonly ended: Promise<number>;
  /** Tells it what this process was told, unless the terminal has told it already. */
  readonly passOn: (request: StopRequest) => void;
}

/** Starts a program that was looked for, with these variables beside its own. @throws LocalizerError `not-found` or `denied` */
export type StartChild = (variables?: Readonly<Record<string, string>>) => Promise<Child>;
