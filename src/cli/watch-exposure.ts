/** Looks on while a Service is exposed: says what changes, and how it ends if somebody else ends it. Used by expose. */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { DaemonClient } from "../rpc/client.ts";
import type { ExposeLine } from "../rpc/exposing.ts";
import type { ListedExposure } from "../rpc/listed-exposure.ts";

/** A list of thousands of services takes the daemon tens of milliseconds. */
const lookEveryMs = 5_000;
/** A daemon that says no once may answer the next time. */
const failedLooks = 2;

/** Which exposure it is. */
export interface ExposedService {
  readonly namespace: string;
  readonly service: string;
  /** Another one of the Service is none of its; empty or absent: whichever there is. */
  readonly session?: string;
}

/** Why an exposure is over, or is not to be seen any more. */
export interface ExposureEnd {
  readonly error: LocalizerError;
  /** Somebody else has ended it, or has it now: there is nothing to give back. */
  readonly isSettled: boolean;
}

/** The exposure of that service, if the daemon has one. @throws LocalizerError as `DaemonClient.list` does */
export async function findExposure(
  client: DaemonClient,
  { namespace, service }: ExposedService,
  signal?: AbortSignal,
): Promise<ListedExposure | undefined> {
  const { exposures } = await client.list({ signal });
  return exposures.find((one) => one.namespace === namespace && one.service === service);
}

/**
 * Resolves with why it is over: `gone` (given back from elsewhere), `conflict` (lost to somebody else), `unavailable` (it failed), or
 * why the daemon does not answer any more. `say` gets a line whenever the state changes.
 * @throws LocalizerError `aborted` when the signal fires
 */
export async function exposureEnd(
  { client, clock }: { readonly client: DaemonClient; readonly clock: Clock },
  exposed: ExposedService,
  say: (line: Pick<ExposeLine, "level" | "message">) => void,
  signal: AbortSignal,
): Promise<ExposureEnd> {
  const key = `${exposed.namespace}/${exposed.service}`;
  const what = `Service "${key}"`;
  let session = exposed.session ?? "";
  let state = "exposed";
  for (let failures = 0; ; await clock.sleep(lookEveryMs, signal)) {
    let now: ListedExposure | undefined;
    try {
      now = await findExposure(client, exposed, signal);
      failures = 0;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = LocalizerError.from(thrown);
      // A daemon that is busy answers the next time.
      if (error.code === "timeout") continue;
      failures++;
      if (error.code === "no-daemon" || failures >= failedLooks) return { error, isSettled: false };
      continue;
    }
    session ||= now?.session ?? "";
    if (now === undefined || now.session !== session) {
      const sentence = `${what} is not exposed any more: somebody has given it back`;
      return { error: new LocalizerError("gone", sentence), isSettled: true };
    }
    const why = now.reason === "" ? "" : `: ${now.reason}`;
    if (now.state === "lost") {
      return { error: new LocalizerError("conflict", `${what} was lost${why}`), isSettled: true };
    }
    if (now.state === "failed") {
      return { error: new LocalizerError("unavailable", `The exposure of "${key}" failed${why}`), isSettled: false };
    }
    if (now.state !== state) {
      say({ level: now.state === "exposed" ? "info" : "warn", message: `${what} is ${now.state}${why}` });
    }
    state = now.state;
  }
}
