/** What is said to who waited for a connection to a pod in vain. Used by pod-pool. */
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { PoolOptions } from "./pool-options.ts";

/** The limits that may be in the way. */
export type LimitOptions = Pick<PoolOptions, "connections" | "connectionsPerPodAtMost" | "streamsPerNode">;

const things: Readonly<Record<keyof LimitOptions, string>> = {
  connections: "connections to pods",
  connectionsPerPodAtMost: "connections to a pod",
  streamsPerNode: "streams to the pods of a node",
};

/** `unavailable`, with the limit that was reached. */
export function limitError(
  { pod, port }: Endpoint,
  options: LimitOptions,
  reached: keyof LimitOptions,
): LocalizerError {
  const limit = `${options[reached]} ${things[reached]}`;
  const sentence = `Cannot forward to ${pod.namespace}/${pod.name}:${port}: the limit of ${limit} is reached`;
  return new LocalizerError("unavailable", sentence);
}
