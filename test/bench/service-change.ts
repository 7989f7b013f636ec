/** How soon localizer follows a Service that is made or deleted while it runs. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../cluster/wait.ts";
import { type Address, applicationPorts } from "./contender.ts";
import { echoOnce } from "./echo.ts";
import type { Lab } from "./lab.ts";
import type { LocalizerPlace } from "./localizer-place.ts";

const timeoutMs = 30_000;

/** A Service that came and went, in milliseconds from the API server's word that it was made, and that it was deleted. */
export interface ServiceChange {
  readonly madeToEchoMs: number;
  /** Connections that failed before the echo, though the name was there. */
  readonly failed: number;
  /** Out of the hosts file, and nobody listens. */
  readonly deletedToGoneMs: number;
}

/** Between two writes of the hosts file localizer leaves a pause; a change that falls into it waits, and is not what is asked here. */
const quietMs = 1_000;

/** Makes a Service, uses it as soon as it has a name until it answers, and deletes it. Throws when either is not followed in 30 s. */
export async function changeService(
  lab: Pick<Lab, "namespace" | "addService" | "deleteService">,
  place: Pick<LocalizerPlace, "waitForNames">,
  { service, signal }: { readonly service: string; readonly signal: AbortSignal },
): Promise<ServiceChange> {
  const name = `${service}.${lab.namespace}`;
  await sleep(quietMs, undefined, { signal });
  await lab.addService(service, signal);
  // Also when it fails, for it may be tried again.
  await using made = new AsyncDisposableStack();
  made.defer(() => lab.deleteService(service, signal));
  const madeMs = performance.now();
  const names = await place.waitForNames((found) => found.has(name), { timeoutMs, signal });
  const address = { host: names.get(name) ?? "", port: applicationPorts.echo };
  let failed = 0;
  const answers = () =>
    echoOnce(address).then(
      () => true,
      (error: unknown) => {
        failed++;
        throw error;
      },
    );
  await waitFor(`an echo of "${name}"`, answers, { timeoutMs, intervalMs: 1, signal });
  const madeToEchoMs = performance.now() - madeMs;
  await sleep(quietMs, undefined, { signal });
  await made.disposeAsync();
  const deletedMs = performance.now();
  await Promise.all([
    place.waitForNames((found) => !found.has(name), { timeoutMs, signal }),
    waitFor(`the end of the listener of "${name}"`, () => isFree(address), { timeoutMs, intervalMs: 2, signal }),
  ]);
  return { madeToEchoMs, failed, deletedToGoneMs: performance.now() - deletedMs };
}

/** Nobody listens there: it can be bound. A connection instead would open one to the pod each time. */
function isFree({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
