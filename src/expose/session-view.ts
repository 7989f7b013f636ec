/** How a session looks from outside. */
import type { LocalCounts } from "./local-side.ts";
import type { ExposedPort } from "./plan.ts";
import type { SessionRecord } from "./records.ts";
import type { SessionWish } from "./session-parts.ts";

/** How a session fares. */
export type SessionState = "starting" | "exposed" | "reconnecting" | "contended" | "lost" | "stopping" | "failed";

/** A session, as it is shown. */
export interface SessionView {
  readonly record: SessionRecord;
  readonly state: SessionState;
  /** Why, where there is something to say. */
  readonly reason: string;
  /** Empty before there is one. */
  readonly pod: string;
  readonly ports: readonly (ExposedPort & { readonly counts: LocalCounts })[];
}

/** The ports of a session, each with what is counted at its local end. */
export function viewedPorts({ plan, sides }: Pick<SessionWish, "plan" | "sides">): SessionView["ports"] {
  return plan.ports.flatMap((port, index) => {
    const counts = sides[index]?.counts;
    return counts === undefined ? [] : [{ ...port, counts }];
  });
}
