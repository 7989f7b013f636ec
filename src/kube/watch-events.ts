/** The lines of a watch: bytes to events (Kubernetes API concepts, "Efficient detection of changes"). */
import { LocalizerError } from "../errors.ts";
import { statusError } from "./api-status.ts";
import { parseJson } from "./api-stream.ts";
import { at, textAt } from "./json.ts";

/** One event. A BOOKMARK's object has nothing but a resourceVersion. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: unknown;
}

const types = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"] as const;

/** An object in etcd has at most some MiB; more in one line is no watch. */
const maxLineBytes = 32 * 1024 * 1024;

/**
 * Reads events from the bytes of a watch. Types that are not known are passed over.
 * @throws LocalizerError by the Status of an ERROR event (`expired` for 410); `unavailable` for a line that is no JSON
 */
export async function* readWatchEvents(
  answer: { bytes(): AsyncIterable<Buffer> },
  action: string,
): AsyncGenerator<WatchEvent, void, undefined> {
  for await (const line of readLines(answer.bytes(), action)) {
    const value = parseJson(line, action);
    const name = textAt(value, "type");
    if (name === "ERROR") throw statusError(action, 200, at(value, "object"));
    const type = types.find((known) => known === name);
    if (type !== undefined) yield { type, object: at(value, "object") };
  }
}

/** Cuts at each line feed, on bytes: a chunk may end inside a character. A rest without line feed is a line too. */
async function* readLines(chunks: AsyncIterable<Buffer>, action: string): AsyncGenerator<Buffer, void, undefined> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      parts = [];
      size = 0;
      start = end + 1;
      if (line.length > 0) yield line;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > maxLineBytes) throw new LocalizerError("unavailable", `${action}: a line is longer than 32 MiB`);
  }
  if (size > 0) yield Buffer.concat(parts);
}
