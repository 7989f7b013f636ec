/** What an exposure tells while it works: a line for the user with the step it belongs to. Types only. */

/** The steps, in the order in which a start and an end take them. */
export type ExposeStep =
  | "preflight"
  | "journal"
  | "lease"
  | "secret"
  | "pod"
  | "tunnel"
  | "ready"
  | "local"
  | "labels"
  | "scale-down"
  | "exposed"
  | "scale-back"
  | "workload"
  | "clean-up"
  | "ended";

/** One line. */
export interface ExposeLine {
  readonly level: "info" | "warn" | "error";
  readonly step: ExposeStep;
  /** A sentence without a full stop. */
  readonly message: string;
}

/** Takes lines; must not throw. */
export type Report = (line: ExposeLine) => void;
