/**
 * The texts by which a container runtime says why a port-forward stream failed (they are never
 * structured, kubernetes#113568). Pure. Sources: containerd `internal/cri/server/sandbox_portforward_linux.go`,
 * CRI-O `internal/oci/runtime_oci_linux.go`.
 */
import { type ErrorCode, LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";

const meanings: readonly (readonly [pattern: RegExp, code: ErrorCode, sentence: string])[] = [
  [/connection refused/i, "refused", "nothing listens on that port in the pod"],
  [/network namespace for sandbox .* is closed/i, "gone", "the pod is gone"],
  [/(failed|unable) to find sandbox|could not find sandbox|sandbox .* is not running/i, "gone", "the pod is gone"],
  // No proof that it got nothing: it may have read much before.
  [/connection reset by peer|broken pipe/i, "unavailable", "the application in the pod broke the connection off"],
];

/** The failure that the error stream's text means. */
export function refusal(endpoint: Endpoint, text: string): LocalizerError {
  const where = `Cannot forward to ${endpoint.pod.namespace}/${endpoint.pod.name}:${endpoint.port}`;
  for (const [pattern, code, sentence] of meanings) {
    if (pattern.test(text)) return new LocalizerError(code, `${where}: ${sentence}`, { cause: new Error(text) });
  }
  return new LocalizerError("unavailable", `${where}: ${text.trim()}`);
}
