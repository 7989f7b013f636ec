/** The beginning of the conversation with the helper: hello and hello, then there is a `Helper`. */
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { HelperClient } from "./client.ts";
import { broken } from "./fields.ts";
import type { ConnectOptions, Helper } from "./helper-role.ts";
import { clientHello, type HelperHello, parseHelperHello } from "./protocol.ts";

/**
 * Says hello and waits for the helper's; that may take as long as a person needs for a password.
 * @throws LocalizerError `unavailable` when the channel closes first, `internal` when the other side is no helper of ours
 */
export async function connectHelper(channel: Channel, options: ConnectOptions = {}): Promise<Helper> {
  throwIfAborted(options.signal);
  const hello = Promise.withResolvers<HelperHello>();
  const onAbort = () => hello.reject(new LocalizerError("aborted", "Stopped", { cause: options.signal?.reason }));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  let client: HelperClient | undefined;
  channel.onMessage((message, handle) => {
    if (client !== undefined) return client.receive(message, handle);
    try {
      const parsed = parseHelperHello(message);
      // Made here, so that no later message can arrive before it.
      client = new HelperClient(channel, parsed, options);
      hello.resolve(parsed);
    } catch (error) {
      hello.reject(error);
    }
  });
  channel.onClose(() => {
    const ended = new LocalizerError("unavailable", "Cannot reach the helper: it ended");
    hello.reject(ended);
    client?.lose(ended);
  });
  try {
    await Promise.all([channel.send(clientHello()), hello.promise]);
    if (client === undefined) throw broken("no hello");
    return client;
  } catch (error) {
    channel.close();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
}
