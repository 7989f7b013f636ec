/** Endings of sessions that are under way in this process: a start's recovery and an exposure may both want one to be put back. */
import { unlessAborted } from "../clock.ts";
import { codeOf } from "../errors.ts";

/** Promises that one at a time puts a session back: they have one claim, and the first to end would delete the Lease under the other. */
export class JoinedEndings {
  readonly #running = new Map<string, Promise<boolean>>();
  /** That are over. */
  readonly #over = new Set<string>();

  /** Whether this process has put it back. */
  isOver(session: string): boolean {
    return this.#over.has(session);
  }

  /**
   * Runs it; if the session is being put back, gives what that comes to instead, and runs it only if that fails.
   * @throws LocalizerError as the run, `conflict` of the other one's also: somebody else is at it; `aborted`
   */
  async join(session: string, signal: AbortSignal, run: () => Promise<boolean>): Promise<boolean> {
    for (let other = this.#running.get(session); other !== undefined; other = this.#running.get(session)) {
      try {
        return await unlessAborted(other, signal);
      } catch (error) {
        if (signal.aborted || codeOf(error) === "conflict") throw error;
      }
    }
    const mine = run();
    this.#running.set(session, mine);
    try {
      const isEnded = await mine;
      if (isEnded) this.#over.add(session);
      return isEnded;
    } finally {
      this.#running.delete(session);
    }
  }
}
