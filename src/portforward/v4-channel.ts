/**
 * One local connection's way to a pod's port over a WebSocket of its own (`v4.channel.k8s.io`): each message begins with the
 * number of its channel, 0 for data and 1 for the error text (cri-streaming `portforward/websocket.go`).
 * Promises what PodStream does, as far as a protocol without half-close can: a failure that says why, back-pressure both ways,
 * all that was written before an end sent before the close, a server that is not there any more noticed.
 */
import { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { refusal } from "./refusal.ts";
import type { Upgraded } from "./upgrade.ts";
import { V4Health, type V4HealthParts } from "./v4-health.ts";
import { normalClosure, WebSocketMessages } from "./websocket-messages.ts";

/** The subprotocol's name. */
export const v4Protocol = "v4.channel.k8s.io";

/**
 * After the local end, while it is not known whether it is a half-close, the connection is closed when the pod was silent
 * so long; known half-closed, after five minutes.
 */
const silenceMs = 5_000;
const halfClosedSilenceMs = 300_000;

/** How long the close may take after the error text. */
const closeGraceMs = 250;

/** The server reads a message whole before it passes it on. */
const maxMessage = 64 * 1024;

const dataChannel = 0;
const dataPrefix = Buffer.from([dataChannel]);

/** What it works with. */
export interface V4ChannelParts {
  readonly clock: Clock;
  /** Called once both channels have named the port: the runtime is there and speaks this protocol. */
  readonly onOpen?: () => void;
  /** Without it nobody looks whether the connection lives. */
  readonly health?: Omit<V4HealthParts, "clock">;
}

type WriteCallback = (error?: Error | null) => void;

/** The Duplex. It owns the socket, which outlives an end without error until all that was written is sent. */
export class V4Channel extends Duplex {
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  readonly #messages: WebSocketMessages;
  readonly #onOpen: () => void;
  /** Of the message that is being read; undefined until its first byte. */
  #channel: number | undefined;
  /** The bytes that each channel begins with: the port, little endian. */
  readonly #ports: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  #errorText = "";
  #isOver = false;
  #isUntouched = true;
  #lastFromPodMs: number;
  #endedMs = 0;
  #silenceMs = silenceMs;
  #timer: Disposable | undefined;
  #isPaused = false;
  readonly #health: V4Health | undefined;

  constructor({ socket, head }: Upgraded, endpoint: Endpoint, parts: V4ChannelParts) {
    super({ allowHalfOpen: false });
    this.#endpoint = endpoint;
    this.#clock = parts.clock;
    this.#onOpen = parts.onOpen ?? (() => {});
    this.#lastFromPodMs = parts.clock.monotonic();
    // It may fail before its owner listens; the owner sees it by `errored`.
    this.on("error", () => {});
    this.#messages = new WebSocketMessages(socket, {
      onMessage: () => {
        this.#channel = undefined;
      },
      onPayload: (bytes) => this.#onPayload(bytes),
      onHeard: () => this.#health?.heard(),
      onPong: (payload) => this.#health?.ponged(payload),
      onClose: (code, reason) => this.#onClose(code, reason),
      onLost: (reason) => this.#lose(reason),
    });
    this.#health = parts.health && this.#watched({ ...parts.health, clock: parts.clock });
    this.#messages.start(head);
  }

  /** True as long as nothing that was written has left. */
  get isUntouched(): boolean {
    return this.#isUntouched;
  }

  /** What became known of the local side after its end. Nothing can be half-closed here, so a close is a close. */
  localEnded(how: "closed" | "half-closed"): void {
    this.#silenceMs = how === "closed" ? 0 : halfClosedSilenceMs;
    if (this.writableFinished && !this.#isOver) this.#closeWhenSilent();
  }

  override _read(): void {
    this.#isPaused = false;
    this.#messages.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#send([chunk], callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: WriteCallback): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  /** The end is held back: closing would cut the answer. */
  override _final(callback: WriteCallback): void {
    callback();
    this.#endedMs = this.#clock.monotonic();
    if (!this.#isOver) this.#closeWhenSilent();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#health?.[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    this.#isOver = true;
    // Who breaks off before the end wants nothing sent any more.
    if (error === null && this.writableEnded) this.#messages.leave(this.#clock);
    else this.#messages.close();
    callback(error);
  }

  #send(chunks: readonly Buffer[], callback: WriteCallback): void {
    const last: WriteCallback = () => callback();
    // What the application still says after the pod has closed goes nowhere, as with any closed peer.
    const messages = this.#isOver ? [] : inMessages(chunks);
    if (messages.length > 0) this.#isUntouched = false;
    messages.forEach((parts, index) => {
      for (const { length } of parts) this.#health?.sent(length);
      this.#messages.send([dataPrefix, ...parts], index === messages.length - 1 ? last : () => {});
    });
    if (messages.length === 0) last();
  }

  #onPayload(bytes: Buffer): void {
    if (this.#isOver) return;
    let rest = bytes;
    if (this.#channel === undefined) {
      this.#channel = bytes[0] ?? 0;
      rest = bytes.subarray(1);
    }
    const channel = this.#channel;
    if (channel !== 0 && channel !== 1) {
      this.#lose(`bytes on channel ${channel}, which nobody opened`);
      return;
    }
    const port = this.#ports[channel];
    if (port.length < 2) {
      const own = rest.subarray(0, 2 - port.length);
      this.#ports[channel] = Buffer.concat([port, own]);
      rest = rest.subarray(own.length);
      this.#checkPort(this.#ports[channel]);
    }
    if (rest.length > 0 && !this.#isOver) this.#onBytes(channel, rest);
  }

  #checkPort(named: Buffer): void {
    if (named.length < 2) return;
    const port = named.readUInt16LE(0);
    if (port !== this.#endpoint.port) this.#lose(`the other side opened port ${port} instead`);
    else if (this.#ports.every(({ length }) => length === 2)) this.#onOpen();
  }

  #onBytes(channel: 0 | 1, bytes: Buffer): void {
    this.#lastFromPodMs = this.#clock.monotonic();
    if (channel === dataChannel) {
      this.#isPaused = !this.push(bytes);
      if (this.#isPaused) this.#messages.pause();
      return;
    }
    if (this.#errorText.length < 4096) this.#errorText += bytes.toString("utf8");
    // The rest of the text and the close come with it or not at all.
    this.#setTimer(closeGraceMs, () => this.#conclude());
  }

  #onClose(code: number, reason: string): void {
    if (code === normalClosure || this.#errorText !== "") this.#conclude();
    else this.#lose(`the WebSocket was closed (${code}${reason === "" ? "" : `: ${reason}`})`);
  }

  #conclude(): void {
    this.#health?.[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#errorText !== "") this.destroy(refusal(this.#endpoint, this.#errorText));
    else this.push(null);
    this.#messages.leave(this.#clock);
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const lost = new LocalizerError("unavailable", `Lost the connection to the pod: ${reason}`);
    this.destroy(this.#errorText === "" ? lost : refusal(this.#endpoint, this.#errorText));
  }

  #watched(parts: V4HealthParts): V4Health {
    const messages = this.#messages;
    const isPaused = () => this.#isPaused;
    const connection = {
      ping: (payload: Buffer) => messages.ping(payload),
      lost: (reason: string) => this.#lose(reason),
      get hasBacklog() {
        return messages.hasBacklog;
      },
      get isPaused() {
        return isPaused();
      },
    };
    return new V4Health(connection, parts);
  }

  #closeWhenSilent(): void {
    // The close that comes behind the text is waited for already.
    if (this.#errorText !== "") return;
    // Silence before the end is no sign: the application may have waited for the end of a long question.
    const silentMs = this.#clock.monotonic() - Math.max(this.#lastFromPodMs, this.#endedMs);
    if (silentMs < this.#silenceMs) this.#setTimer(this.#silenceMs - silentMs, () => this.#closeWhenSilent());
    else this.#conclude();
  }

  #setTimer(ms: number, run: () => void): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.after(ms, run);
  }
}

/** The chunks in messages of the size that the server likes. */
function inMessages(chunks: readonly Buffer[]): readonly (readonly Buffer[])[] {
  const messages: Buffer[][] = [];
  let room = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      if (room === 0) {
        messages.push([]);
        room = maxMessage;
      }
      const part = chunk.subarray(at, at + room);
      messages.at(-1)?.push(part);
      at += part.length;
      room -= part.length;
    }
  }
  return messages;
}
