/** Waiting for what is already under way, without a timer. */

/** Lets the event loop turn so often: everything in memory that waits for no clock has happened then. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Turns the event loop until the condition holds; the test's own time limit is what ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1);
}
