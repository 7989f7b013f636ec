/** Who holds a claim, as the file says it: one JSON object. What cannot be read counts as a holder that is dead. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { errnoOf, LocalizerError } from "../errors.ts";
import type { ProcessIdentity } from "../helper/process-identity.ts";

/** Larger is nothing that was written here. */
const maxBytes = 64 * 1024;

const noncePattern = /^[0-9a-f-]{36}$/;

/** A process that holds a claim, or one of its locks. */
export interface ClaimHolder extends ProcessIdentity {
  /** Tells this claim from every other that ever was. */
  readonly nonce: string;
  /** Empty while it is starting. */
  readonly socketPath: string;
  readonly clusterName: string;
}

/** The file's text. */
export function formatHolder(holder: ClaimHolder): string {
  const { pid, startTime, bootId, pidNamespace, nonce, socketPath, clusterName } = holder;
  return `${JSON.stringify({ pid, startTime, bootId, pidNamespace, nonce, socketPath, clusterName })}\n`;
}

/** Reads a claim; undefined when there is none. @throws LocalizerError when there is something that may not be read */
export async function readHolder(path: string): Promise<ClaimHolder | undefined> {
  const text = await readText(path);
  return text === undefined ? undefined : parseHolder(text);
}

/** False when the file said nothing that can be understood. */
export function isReadable({ nonce }: ClaimHolder): boolean {
  return noncePattern.test(nonce);
}

function parseHolder(text: string): ClaimHolder {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const at = (name: string): unknown =>
    typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, name) : "";
  const textAt = (name: string): string => String(at(name) ?? "");
  const pid = at("pid");
  const nonce = textAt("nonce");
  const pidNamespace = textAt("pidNamespace");
  // The same text always gives the same name, and no process has pid 0.
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  return {
    pid: typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0 ? pid : 0,
    startTime: textAt("startTime"),
    bootId: textAt("bootId"),
    ...(pidNamespace === "" ? {} : { pidNamespace }),
    nonce: noncePattern.test(nonce) ? nonce : `unreadable-${digest}`,
    socketPath: textAt("socketPath"),
    clusterName: textAt("clusterName"),
  };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    // Neither a link to somebody else's file nor a pipe that never ends.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (!facts.isFile() || facts.size > maxBytes) throw new LocalizerError("conflict", `"${path}" is no claim`);
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw LocalizerError.wrap(error, `Cannot read "${path}"`, errnoOf(error) === "EACCES" ? "denied" : "internal");
  }
}
