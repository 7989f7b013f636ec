/** Lets one request fail as it was told to. */
import type { Clock } from "../clock.ts";
import type { ApiCall } from "./api-call.ts";
import type { Fault } from "./faults.ts";
import type { Exchange } from "./http-door.ts";
import { forbidden, Refusal, tooManyRequests, unauthorized } from "./status.ts";
import { eventLine } from "./watch.ts";

/** The request, and what is needed to fail it. */
export interface FaultyRequest {
  readonly exchange: Exchange;
  /** Undefined when the path is of no resource. */
  readonly call: ApiCall | undefined;
  readonly clock: Clock;
}

/**
 * Applies the fault; `answer` sends the right answer, for those faults that come to it in the end.
 * @throws Refusal when the fault is one
 */
export function failWith(fault: Fault, { exchange, call, clock }: FaultyRequest, answer: (to: Exchange) => void): void {
  switch (fault.kind) {
    case "unauthorized":
      throw unauthorized();
    case "forbidden":
      throw forbiddenPath(fault.user ?? "sandbox", call, exchange);
    case "gone":
      throw new Refusal(410, "Expired", "The resourceVersion for the provided list is too old.");
    case "busy":
      throw tooManyRequests(fault.retryAfterSeconds);
    case "failure":
      throw new Refusal(fault.code, "InternalError", fault.message ?? "Internal error occurred: told to fail");
    case "gone-event":
      exchange.respond(200, { "content-type": "application/json" });
      exchange.end(eventLine("ERROR", new Refusal(410, "Expired", "too old resource version").body));
      return;
    case "broken-json":
      exchange.respond(200, { "content-type": "application/json" });
      exchange.end('{"type":"ADDED","object":{\n');
      return;
    case "stuck":
      return;
    case "reset":
      exchange.reset();
      return;
    case "cut":
      exchange.cut();
      return;
    case "lost-answer":
      answer({ ...exchange, respond() {}, write() {}, end() {} });
      exchange.cut();
      return;
    case "slow": {
      const timer = clock.after(fault.ms, () => answer(exchange));
      exchange.closed.addEventListener("abort", () => timer[Symbol.dispose](), { once: true });
      return;
    }
    default:
      fault satisfies never;
  }
}

function forbiddenPath(user: string, call: ApiCall | undefined, { request }: Exchange): Refusal {
  if (call !== undefined) return forbidden(call, user);
  const verb = request.method.toLowerCase();
  return new Refusal(403, "Forbidden", `forbidden: User "${user}" cannot ${verb} path "${request.path}"`, {});
}
