/** A line on which everything takes a while, as on a long cable: order kept, nothing held up by what is before it. Pure but for its clock. */

/** Time, as the line needs it. */
export interface LineClock {
  readonly now: () => number;
  readonly after: (ms: number, act: () => void) => void;
}

/** Timers have a grain of 1 ms: what is due so soon is delivered now, so that the mean is right. */
const earlyMs = 0.5;

/** One direction. */
export class DelayLine<T> {
  readonly #clock: LineClock;
  readonly #delayMs: number;
  readonly #deliver: (item: T) => void;
  #queue: { readonly dueMs: number; readonly item: T }[] = [];
  #isWaiting = false;
  #openMs = Number.NEGATIVE_INFINITY;

  constructor(clock: LineClock, delayMs: number, deliver: (item: T) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#deliver = deliver;
  }

  /** Nothing sets out before so many ms have passed from now. */
  holdFor(ms: number): void {
    this.#openMs = this.#clock.now() + ms;
  }

  /** Delivers it when its time has come. */
  push(item: T): void {
    this.#queue.push({ dueMs: Math.max(this.#clock.now(), this.#openMs) + this.#delayMs, item });
    if (!this.#isWaiting) this.#wait();
  }

  #wait(): void {
    const [first] = this.#queue;
    this.#isWaiting = first !== undefined;
    if (first === undefined) return;
    this.#clock.after(Math.max(0, Math.round(first.dueMs - this.#clock.now())), () => this.#run());
  }

  #run(): void {
    const now = this.#clock.now();
    const late = this.#queue.findIndex(({ dueMs }) => dueMs - now >= earlyMs);
    const due = this.#queue.splice(0, late < 0 ? this.#queue.length : late);
    for (const { item } of due) this.#deliver(item);
    this.#wait();
  }
}
