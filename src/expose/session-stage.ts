/** How much of a session is still to go back. Types only. */

/**
 * How much is still to go back, and how. It only goes down this list.
 *
 * - `own`: its Lease is its own, as far as it knows, from before the start on: it ends it as such, with signs of life (`endOwn`)
 * - `left`: a way back has failed. Its pod is still connected, but without signs of life anybody may be putting it back by now:
 *   it ends it by its record, as the next daemon would (`endRecorded`)
 * - `let-go`: the same, and nothing of it is open here any more: it was taken over by somebody, or only its journal is left
 * - `back`: nothing is left of it
 * - `ended`: and its owner has heard so (`onEnd`). One that was lost stays at `back` until its user's stop
 */
export type SessionStage = "own" | "left" | "let-go" | "back" | "ended";
