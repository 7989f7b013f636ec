/** The lines of an exposure for one client, who may go away while the daemon goes on. Used by localizer-service. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { aborted } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type ExposeLine, lineMessage } from "../rpc/exposing.ts";
import type { ConsoleResponseSchema } from "../rpc/gen/api/v1/localizer_pb.ts";
import { pastDeadline } from "./past-deadline.ts";

/**
 * The lines as messages, ended as they end. Never calls `return()` on them: once `left` fires, or nobody reads any more, they are
 * read to their end all the same and dropped, what they throw too.
 * @throws LocalizerError what the lines throw; when `left` fires before they end, `timeout` if the caller's deadline is over, else
 * `unavailable`, for only a server that stops has somebody left to hear it, who must not take it for the end
 */
export async function* exposeStream(
  lines: AsyncIterable<ExposeLine>,
  left: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof ConsoleResponseSchema>, void, undefined> {
  const source = lines[Symbol.asyncIterator]();
  const gone = aborted(left).then(() => undefined);
  let coming: Promise<IteratorResult<ExposeLine>> | undefined;
  try {
    for (;;) {
      coming = source.next();
      // Looked at below, or drained.
      coming.catch(() => {});
      const next = await Promise.race([coming, gone]);
      if (next === undefined) {
        const stops = "The daemon stops; see how the exposure stands when it runs again";
        throw pastDeadline(left) ?? new LocalizerError("unavailable", stops);
      }
      if (next.done === true) return;
      coming = undefined;
      yield lineMessage(next.value);
    }
  } finally {
    void drain(source, coming);
  }
}

/** Never rejects. After the end there is nothing to read. */
async function drain(
  source: AsyncIterator<ExposeLine>,
  coming: Promise<IteratorResult<ExposeLine>> | undefined,
): Promise<void> {
  try {
    let next = await (coming ?? source.next());
    while (next.done !== true) next = await source.next();
  } catch {
    // Who exposes has logged it.
  }
}
