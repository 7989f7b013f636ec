/**
 * SPDY inside a WebSocket (KEP-4006): the byte stream of a socket, carried in binary messages whose borders mean nothing.
 * Promises what the socket itself does: order, back-pressure both ways, an end that is told apart from a loss.
 */
import { Duplex } from "node:stream";
import { LocalizerError } from "../errors.ts";
import { normalClosure, WebSocketMessages } from "./websocket-messages.ts";

/** As a net.Socket's. */
const highWaterMark = 64 * 1024;

type WriteCallback = (error?: Error | null) => void;

/** The socket that a SpdyConnection speaks over. What is written in one turn goes out as one message. */
export class WebSocketTunnel extends Duplex {
  readonly #messages: WebSocketMessages;
  #isGathering = false;

  /** @param head bytes that came with the upgrade's answer */
  constructor(socket: Duplex, head: Buffer) {
    super({ allowHalfOpen: true, highWaterMark });
    // It may be lost before its owner listens; the owner sees it by `errored`.
    this.on("error", () => {});
    this.#messages = new WebSocketMessages(socket, {
      onMessage: () => {},
      onPayload: (bytes) => {
        if (!this.push(bytes)) this.#messages.pause();
      },
      onClose: (code, reason) => {
        if (code === normalClosure) this.push(null);
        else this.#lose(`the tunnel was closed (${code}${reason === "" ? "" : `: ${reason}`})`);
      },
      onLost: (reason) => this.#lose(reason),
    });
    this.#messages.start(head);
  }

  override write(chunk: unknown, encoding?: BufferEncoding | WriteCallback, callback?: WriteCallback): boolean {
    if (!this.#isGathering) {
      this.#isGathering = true;
      this.cork();
      process.nextTick(() => {
        this.#isGathering = false;
        this.uncork();
      });
    }
    return typeof encoding === "string" ? super.write(chunk, encoding, callback) : super.write(chunk, encoding);
  }

  override _read(): void {
    this.#messages.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#messages.send([chunk], callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: WriteCallback): void {
    this.#messages.send(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  /** There is no half-close in a tunnel, and SPDY needs none: the server closes its side too. */
  override _final(callback: WriteCallback): void {
    this.#messages.end();
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#messages.close();
    callback(error);
  }

  #lose(reason: string): void {
    this.destroy(new LocalizerError("unavailable", `Lost the tunnel to the API server: ${reason}`));
  }
}
