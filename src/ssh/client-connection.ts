/** One connection by ssh2: its life, its forwards and its channels. */
import type { Duplex } from "node:stream";
import ssh2, { type AcceptConnection, type ClientChannel, type ConnectConfig, type RejectConnection } from "ssh2";
import { type Clock, othersTurn } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { isPort, type Port } from "../model/port.ts";
import { Carrier } from "./carrier.ts";
import { ForwardedChannel } from "./forwarded-channel.ts";
import { type TakeWindow, takeWindows } from "./receive-windows.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { WriteGate } from "./write-gate.ts";

/** A closing connection may take so long to get its last word out. */
const farewellMs = 1_000;

/** How patient it is, and how much it takes. */
export interface ClientOptions {
  readonly clock: Clock;
  /** The server is asked for a sign of life so often. */
  readonly keepaliveMs: number;
  /** Without a byte from the server for so long the connection is lost. */
  readonly silenceMs: number;
  /** Connections at the same time, over all ports; more are refused. */
  readonly maxChannels: number;
  /** Told of all that comes and goes, by the number of bytes. */
  readonly onBytes?: (bytes: number) => void;
}

/** Who is told of a port's connections. */
interface Taker {
  readonly take: (channel: Duplex) => void;
  readonly refused?: ((reason: string) => void) | undefined;
}

/** As `SshConnection` says; it has to be opened first. */
export class ClientConnection implements SshConnection {
  readonly #client = new ssh2.Client();
  readonly #carrier: Carrier;
  readonly #gate: WriteGate;
  readonly #options: ClientOptions;
  readonly #closed = new AbortController();
  readonly #takers = new Map<Port, Taker>();
  readonly #channels = new Set<ForwardedChannel>();
  #takeWindow: TakeWindow | undefined;
  #isOpen = false;
  #heardAt: number;
  #timer: Disposable | undefined;

  /** Owns the transport from now on. */
  constructor(transport: Duplex, options: ClientOptions) {
    this.#options = options;
    this.#heardAt = options.clock.monotonic();
    const onBytes = options.onBytes ?? (() => {});
    this.#carrier = new Carrier(transport, {
      heard: (bytes) => {
        this.#heardAt = options.clock.monotonic();
        onBytes(bytes);
      },
      sent: onBytes,
    });
    this.#gate = new WriteGate(this.#carrier);
    this.#carrier.on("error", (error) => this.lose(this.#lost(error)));
    this.#carrier.on("close", () => this.lose(this.#lost("the server or something on the way closed it")));
    this.#client.on("error", (error) => this.lose(keyRefusal(error) ?? this.#lost(error)));
    this.#client.on("tcp connection", ({ destPort }, accept, reject) => this.#onConnection(destPort, accept, reject));
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Shakes hands; rejects with why not, or `aborted`. */
  async open(config: ConnectConfig, signal: AbortSignal): Promise<void> {
    const ready = new Promise<void>((resolve) => this.#client.once("ready", () => resolve()));
    this.closed.throwIfAborted();
    this.#client.connect({
      ...config,
      sock: this.#carrier,
      readyTimeout: 0,
      keepaliveInterval: this.#options.keepaliveMs,
      // It only asks: ssh2 counts answers, and they may stand behind megabytes on a slow line. Any byte is a sign of life.
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
    });
    this.#takeWindow = takeWindows(this.#client);
    await this.#unlessClosed(ready, signal);
    this.#isOpen = true;
    this.#watch();
  }

  async forward(port: Port, take: Taker["take"], signal: AbortSignal, refused?: Taker["refused"]): Promise<void> {
    throwIfAborted(signal);
    this.closed.throwIfAborted();
    const listening = new Promise<void>((resolve, reject) => {
      const onAnswer = (error: Error | undefined) => {
        if (error !== undefined) reject(cannotListen(port, error));
        else if (signal.aborted) this.#client.unforwardIn("", port, () => {});
        else {
          // Before anything else is read: the first connection may stand behind the answer.
          this.#takers.set(port, { take, refused });
          resolve();
        }
      };
      try {
        this.#client.forwardIn("", port, onAnswer);
      } catch (error) {
        reject(this.#lost(error));
      }
    });
    await this.#unlessClosed(listening, signal);
  }

  /** Closes all at once, with that reason. Only the first counts. */
  lose(reason: LocalizerError): void {
    if (this.closed.aborted) return;
    this.#close(reason);
    for (const channel of this.#channels) channel.abandon(reason);
    this.#carrier.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new LocalizerError("aborted", "SSH connection is closed");
    if (!this.closed.aborted) {
      this.#close(reason);
      for (const channel of this.#channels) channel.destroy(reason);
      try {
        this.#client.end();
      } catch (error) {
        this.#carrier.destroy(error instanceof Error ? error : undefined);
      }
    }
    await this.#carrierGone();
    for (const channel of this.#channels) channel.abandon(reason);
  }

  #close(reason: LocalizerError): void {
    this.#timer?.[Symbol.dispose]();
    this.#takers.clear();
    this.#closed.abort(reason);
  }

  /** When all is written, or nothing moves. */
  async #carrierGone(): Promise<void> {
    if (this.#carrier.closed) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(farewellMs, () => this.#carrier.destroy());
      this.#carrier.once("finish", () => this.#carrier.destroy());
      this.#carrier.once("close", () => {
        timer[Symbol.dispose]();
        resolve();
      });
      if (this.#carrier.writableFinished) this.#carrier.destroy();
    });
  }

  #onConnection(destPort: number, accept: AcceptConnection<ClientChannel>, reject: RejectConnection): void {
    const taker = isPort(destPort) ? this.#takers.get(destPort) : undefined;
    const { maxChannels } = this.#options;
    if (taker === undefined || this.#channels.size >= maxChannels) {
      reject();
      taker?.refused?.(`more than ${maxChannels} connections at a time`);
      return;
    }
    const ssh2Channel = accept();
    ssh2Channel.stderr.resume();
    const grant = this.#takeWindow?.(ssh2Channel) ?? (() => {});
    const channel: ForwardedChannel = new ForwardedChannel(ssh2Channel, {
      gate: this.#gate,
      grant,
      onFlood: () => this.lose(this.#lost("the server sent more than it was allowed to")),
      onGone: () => this.#channels.delete(channel),
    });
    this.#channels.add(channel);
    taker.take(channel);
  }

  #watch(): void {
    const { clock, keepaliveMs, silenceMs } = this.#options;
    const isSilent = () => clock.monotonic() - this.#heardAt >= silenceMs;
    this.#timer = clock.after(keepaliveMs, () => void look());
    const look = async (): Promise<void> => {
      // After a stall of this process what was said meanwhile is read first.
      if (isSilent()) await othersTurn();
      if (this.closed.aborted) return;
      if (isSilent()) this.lose(this.#lost(`nothing came from the server for ${silenceMs} ms`));
      else this.#watch();
    };
  }

  /** Whatever code the transport's failure has: to whoever asks it is the connection that is not there. */
  #lost(reason: unknown): LocalizerError {
    const { message } = LocalizerError.from(reason);
    const sentence = this.#isOpen ? `Lost the SSH connection: ${message}` : message;
    return new LocalizerError("unavailable", sentence, { cause: reason });
  }

  #unlessClosed<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = () => settle(() => reject(new LocalizerError("aborted", "Stopped", { cause: signal.reason })));
      const onClosed = () => settle(() => reject(this.closed.reason));
      const settle = (tell: () => void) => {
        signal.removeEventListener("abort", onAbort);
        this.closed.removeEventListener("abort", onClosed);
        tell();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.closed.addEventListener("abort", onClosed, { once: true });
      work.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      );
      if (this.closed.aborted) onClosed();
      else if (signal.aborted) onAbort();
    });
  }
}

/** What ssh2 says through `error` when it is about the key: its `level` tells. */
function keyRefusal(error: Error): LocalizerError | undefined {
  const level: unknown = Reflect.get(error, "level");
  if (level !== "client-authentication") return undefined;
  return new LocalizerError("denied", "The SSH server does not take the key", { cause: error });
}

function cannotListen(port: Port, error: Error): LocalizerError {
  const sentence = `Cannot listen on port ${port} of the SSH server: it is taken there, or not allowed`;
  return new LocalizerError("conflict", sentence, { cause: error });
}
