/** What a rehearsal may say: that the cluster refuses, or that nobody can tell before. */
import { apiStatusOf } from "../kube/api-status.ts";

/**
 * Runs a request with `dryRun=All`. An admission webhook that may have side effects cannot be asked that way: the API server then says
 * "admission webhook … does not support dry run" (NewDryRunUnsupportedErr), which is no word against what is wished (decision 33).
 * Gives what it would have answered; undefined when nobody can tell. Throws whatever else it throws.
 */
export async function unlessUnsupported<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (!/does not support dry.?run/i.test(apiStatusOf(error)?.message ?? "")) throw error;
    return undefined;
  }
}
