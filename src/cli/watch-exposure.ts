/** Looks on while a Service is exposed: says what changes, and how it ends if somebody else ends it. Used by expose. */
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { DaemonClient } from "../rpc/client.ts";
import type { ExposeLine } from "../rpc/exposing.ts";
import type { ListedExposure } from "../rpc/listed-exposure.ts";

/** A list of thousands of services takes the daemon tens of milliseconds. */
const lookEveryMs = 5_000;

/** Which exposure it is. */
export interface ExposedService {
  readonly namespace: string;
  readonly service: string;
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
): Promise<LocalizerError> {
  const what = `Service "${exposed.namespace}/${exposed.service}"`;
  let last: ListedExposure | undefined;
  for (;;) {
    let now: ListedExposure | undefined;
    try {
      now = await findExposure(client, exposed, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      // A daemon that is busy answers the next time.
      if (codeOf(thrown) !== "timeout") return LocalizerError.from(thrown);
      now = last;
    }
    if (now === undefined || (last !== undefined && now.session !== last.session)) {
      return new LocalizerError("gone", `${what} is not exposed any more: somebody has given it back`);
    }
    const why = now.reason === "" ? "" : `: ${now.reason}`;
    if (now.state === "lost") return new LocalizerError("conflict", `${what} was lost${why}`);
    if (now.state === "failed") return new LocalizerError("unavailable", `${what} is not exposed any more${why}`);
    const isNews = last === undefined ? now.state !== "exposed" : now.state !== last.state;
    if (isNews) say({ level: now.state === "exposed" ? "info" : "warn", message: `${what} is ${now.state}${why}` });
    last = now;
    await clock.sleep(lookEveryMs, signal);
  }
}
