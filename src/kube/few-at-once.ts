/** Many short calls, some of them at a time: neither one after the other nor all in one burst on the API server. */

/**
 * Runs `work` for each item, `limit` at a time, and gives the answers in the order of the items.
 * Throws what the first `work` throws that fails; nothing is begun after that.
 */
export async function fewAtOnce<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const answers: R[] = [];
  const rest = items.entries();
  let failed = false;
  const worker = async () => {
    // All workers share one iterator, so each entry is taken once.
    for (const [index, item] of rest) {
      if (failed) return;
      try {
        answers[index] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return answers;
}
