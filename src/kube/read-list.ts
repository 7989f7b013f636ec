/**
 * Reads the answer to a list item by item, and lets others have their turn in between: the JSON of 5,000 Services takes a
 * tenth of a second to parse, in which no connection would get a byte. Used by ApiClient.
 */
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { othersTurn } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type ApiAnswer, maxBodyBytes, parseJson, tooLarge } from "./api-stream.ts";
import { ListCutter } from "./list-cutter.ts";

/** A list of which each item was read by itself. */
export interface ListAnswer<T> {
  /** The list as the server sent it, but without items. */
  readonly list: unknown;
  readonly items: readonly T[];
}

/** So much is taken at once: a few ms of work on a slow machine. */
const sliceBytes = 32 * 1024;

/**
 * Takes the whole answer, unzipped. `read` gets each item, parsed, in the list's order.
 * @throws LocalizerError `unavailable` when it breaks off, is larger than 1 GiB, cannot be unzipped or is no JSON of a list
 */
export async function readList<T>(
  answer: ApiAnswer,
  action: string,
  read: (item: unknown) => T,
  maxBytes: number = maxBodyBytes,
): Promise<ListAnswer<T>> {
  const cutter = new ListCutter();
  const items: T[] = [];
  let size = 0;
  const take = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(action, maxBytes);
      for (let start = 0; start < chunk.length; start += sliceBytes) {
        const found = cutter.cut(chunk.subarray(start, start + sliceBytes));
        if (found === undefined) throw new LocalizerError("unavailable", `${action}: the answer is no list`);
        for (const item of found) items.push(read(parseJson(item, action)));
        await othersTurn();
      }
    }
  };
  const { gzip } = await answer.head;
  if (gzip) await unzipped(answer, action, take);
  else await take(answer.bytes());
  return { list: parseJson(cutter.rest, action), items };
}

async function unzipped(
  answer: ApiAnswer,
  action: string,
  take: (chunks: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  try {
    await pipeline(answer.bytes(), createGunzip({ chunkSize: sliceBytes }), take);
  } catch (error) {
    if (error instanceof LocalizerError) throw error;
    throw new LocalizerError("unavailable", `${action}: the answer cannot be unzipped`, { cause: error });
  }
}
