/**
 * What an answer other than the upgrade means: whether it is about the pod, about rights, or about this way of asking. Pure.
 * The API server's own answers are Status objects (design/verified.md 1.2, 2); a gateway's are mostly not, and not about the pod.
 */
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { textAt } from "../kube/json.ts";

/**
 * - `identity`: the API server does not know us
 * - `verb`: the right that this way needs is missing; another way may need another one
 * - `target`: the request got through and its pod or node is the matter; no other way would do better
 * - `way`: something in between does not let this way through, for good
 * - `passing`: the same, or a hiccup; asked again it may go through
 */
export type RefusalSign = "identity" | "verb" | "target" | "way" | "passing";

/** An upgrade that was refused. */
export interface UpgradeRefusal {
  readonly sign: RefusalSign;
  /** `unauthenticated`, `denied`, `gone`, `timeout` or `unavailable`, in the words of whoever refused. */
  readonly error: LocalizerError;
}

/** An HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  /** Its first 16 KiB. */
  readonly body: string;
}

/** Words of the API server after it had passed the request on (apiserver `pkg/util/proxy/upgradeaware.go`). */
const passedOn = /error dialing backend|does not have a host assigned/i;

/** How RBAC names the verb (kubernetes `pkg/registry/authorization`); Status has no field for it. */
const namesVerb = /cannot (create|get) resource "pods\/portforward"/;

/** The meaning of an answer to an upgrade for the pod of this name. */
export function refusalOf({ status, body }: HttpAnswer, podName: string): UpgradeRefusal {
  const said = parsed(body);
  const told = statusOf(said);
  const words = textAt(said, "message") ?? `${status} ${firstWords(body)}`.trimEnd();
  return { sign: signOf(status, told, podName), error: new LocalizerError(codeOfStatus(status, told), words) };
}

/** An upgrade that ended without an answer that could be read. */
export function brokenOff(words: string, code: "timeout" | "unavailable" = "unavailable"): UpgradeRefusal {
  return { sign: "passing", error: new LocalizerError(code, words) };
}

/** A 101 that is none of ours; `fault` as the end of a sentence. */
export function wrongProtocol(fault: string): UpgradeRefusal {
  return { sign: "way", error: new LocalizerError("unavailable", `the answer is no such upgrade: ${fault}`) };
}

interface Status {
  readonly message: string;
  /** The kind of object that it is about, in the plural. */
  readonly about: string | undefined;
}

function signOf(status: number, told: Status | undefined, podName: string): RefusalSign {
  if (status === 401) return "identity";
  if (status === 429) return "target";
  // A gateway that does not know the path may name the pod too. A node is asked for only when its pod was found.
  if (status === 404) return told?.about === "pods" || told?.about === "nodes" ? "target" : "way";
  if (told !== undefined) {
    if (status === 403 && namesVerb.test(told.message)) return "verb";
    if (told.about === "pods" || passedOn.test(told.message) || hasWord(told.message, podName)) return "target";
  }
  // The two that say for good what a server cannot do.
  const mayPass = status >= 500 && status !== 501 && status !== 505;
  return mayPass || status === 408 ? "passing" : "way";
}

function hasWord(text: string, word: string): boolean {
  return text.split(/[^a-z0-9.-]+/).includes(word);
}

function codeOfStatus(status: number, told: Status | undefined): ErrorCode {
  switch (status) {
    case 401:
      return "unauthenticated";
    case 403:
      return "denied";
    case 404:
      // A gateway that does not know the path says 404 too, and the pod may be well.
      return told?.about === "pods" ? "gone" : "unavailable";
    default:
      return "unavailable";
  }
}

/** On one line: a gateway may answer with a whole page. */
function firstWords(body: string): string {
  return body.slice(0, 300).replaceAll(/\s+/g, " ").trim();
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function statusOf(said: unknown): Status | undefined {
  const message = textAt(said, "message");
  if (textAt(said, "kind") !== "Status" || message === undefined) return undefined;
  return { message, about: textAt(said, "details", "kind") };
}
