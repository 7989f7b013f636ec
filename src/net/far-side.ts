/** The far side of a connection as `splice` wants it: a Duplex that may be told more about the local side's end. */
import type { Duplex } from "node:stream";

/** Any Duplex is one. */
export interface FarSide extends Duplex {
  /** What became known of the local side after its end: that it is closed for good, or that it still reads. */
  localEnded?(how: "closed" | "half-closed"): void;
  /** True as long as nothing that was written has left: whatever happens, the other end got none of it. */
  readonly isUntouched?: boolean;
}
