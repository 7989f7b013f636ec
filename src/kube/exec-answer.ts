/** What a credential plug-in prints: an ExecCredential of client.authentication.k8s.io, checked. Pure. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { parse } from "yaml";
import { LocalizerError } from "../errors.ts";
import type { ClientCertificate } from "./credentials.ts";
import type { ExecPlugin } from "./exec-plugin.ts";
import { isHeaderText } from "./header-text.ts";
import { at, textAt } from "./json.ts";

/** A token, a certificate, or both. */
export interface ExecAnswer {
  readonly token: string | undefined;
  readonly certificate: ClientCertificate | undefined;
  /** Milliseconds since the epoch; undefined when it says nothing. */
  readonly expiresAt: number | undefined;
}

/**
 * Reads what the plug-in printed.
 * @throws LocalizerError `unauthenticated` with what is wrong with it, never with text of it, which is secret
 */
export function parseExecAnswer(plugin: Pick<ExecPlugin, "apiVersion" | "name">, printed: string): ExecAnswer {
  const answer = parseText(plugin, printed);
  const refuse = (fault: string): never => refused(plugin, fault);
  const kind = textAt(answer, "kind");
  if (kind !== "ExecCredential") return refuse(kind === undefined ? "no ExecCredential" : `a "${kind}"`);
  const apiVersion = textAt(answer, "apiVersion");
  if (apiVersion !== plugin.apiVersion) {
    const hint = "update the plug-in, or the apiVersion of the kubeconfig's user";
    return refuse(`the apiVersion "${apiVersion ?? ""}" where the kubeconfig asks for "${plugin.apiVersion}"; ${hint}`);
  }
  const token = textAt(answer, "status", "token");
  const cert = textAt(answer, "status", "clientCertificateData");
  const key = textAt(answer, "status", "clientKeyData");
  if (token !== undefined && !isHeaderText(token)) return refuse("a token with a line break or control character");
  if (token === undefined && cert === undefined && key === undefined) return refuse("neither token nor certificate");
  if (cert === undefined && key !== undefined) return refuse("a key without its certificate");
  if (cert !== undefined && key === undefined) return refuse("a certificate without its key");
  const certificate = cert === undefined || key === undefined ? undefined : certificateOf(cert, key);
  if (certificate === "mismatch") return refuse("a certificate and a key that do not belong together, or no PEM");
  return { token, certificate, expiresAt: expiryOf(plugin, at(answer, "status", "expirationTimestamp")) };
}

/** client-go takes YAML as well. */
function parseText(plugin: Pick<ExecPlugin, "name">, printed: string): unknown {
  if (printed.trim() === "") return refused(plugin, "nothing");
  try {
    return JSON.parse(printed);
  } catch {
    try {
      return parse(printed, { logLevel: "error" });
    } catch {
      return refused(plugin, "no JSON");
    }
  }
}

function certificateOf(cert: string, key: string): ClientCertificate | "mismatch" {
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return "mismatch";
    return { cert: Buffer.from(cert), key: Buffer.from(key) };
  } catch {
    return "mismatch";
  }
}

/** RFC 3339, as metav1.Time. */
function expiryOf(plugin: Pick<ExecPlugin, "name">, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const written =
    typeof value === "string" && /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value);
  const time = written ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? refused(plugin, "an expirationTimestamp that is no time") : time;
}

function refused({ name }: Pick<ExecPlugin, "name">, fault: string): never {
  throw new LocalizerError("unauthenticated", `its plug-in "${name}" printed ${fault}`);
}
