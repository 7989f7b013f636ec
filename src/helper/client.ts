/**
 * The user's side of the helper, through a channel.
 * Promises one request in flight, that no listener is lost on its way over, and a signal when the helper is gone.
 * Made by connect-helper.ts; helper-role.ts says what each method does.
 */
import { Server, Socket } from "node:net";
import { type Clock, systemClock, withTimeout } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import { adoptServer, bindError, type Listen, type Listener } from "../net/listen.ts";
import type { Channel } from "./channel.ts";
import { broken } from "./fields.ts";
import type { ConnectOptions, Helper } from "./helper-role.ts";
import { type HelperHello, parseReply, type Reply, type RequestBody } from "./protocol.ts";
import { ensurePrivateDirectory, sessionRuntimeDirectory } from "./runtime-directory.ts";

// A hosts write may wait for a slow disk; past this the helper hangs, and a hanging helper is a dead one.
const answerTimeoutMs = 30_000;
const endTimeoutMs = 5_000;

interface Waiting {
  readonly id: number;
  readonly take: (reply: Reply, handle: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/** A helper that was greeted; connect-helper.ts makes it. */
export class HelperClient implements Helper {
  readonly identity: { readonly pid: number; readonly uid: number };
  readonly removed: readonly string[];
  readonly #channel: Channel;
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #gone = new AbortController();
  #lastId = 0;
  #waiting: Waiting | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;
  #isTidied = true;

  constructor(channel: Channel, hello: HelperHello, options: ConnectOptions) {
    this.identity = { pid: hello.pid, uid: hello.uid };
    this.removed = hello.removed ?? [];
    this.#channel = channel;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get tidied(): boolean {
    return this.#isTidied;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  readonly listen: Listen = async (at, onConnection, signal) => {
    const listener = await this.#request<Listener>({ type: "bind", ...at }, signal, {
      accept: (answer, handle) => {
        if (answer.type !== "bound" || !(handle instanceof Server)) throw broken("no listener");
        const adopted = adoptServer(handle, at, onConnection);
        this.#channel.send({ type: "received", id: answer.id }).catch((error: unknown) => this.lose(error));
        return adopted;
      },
      failure: (failed) => (failed.errno === undefined ? failureOf(failed) : bindError(at, systemError(failed))),
    });
    if (!signal?.aborted) return listener;
    await listener[Symbol.asyncDispose]();
    throw new LocalizerError("aborted", "Stopped", { cause: signal.reason });
  };

  async writeHosts(entries: readonly HostsEntry[]): Promise<void> {
    await this.#request({ type: "hosts", entries }, undefined, wantDone);
  }

  async release(address: LoopbackAddress): Promise<void> {
    await this.#request({ type: "release", address }, undefined, wantDone);
  }

  async prepareRuntimeDir(): Promise<string> {
    const ofSession = await sessionRuntimeDirectory(this.#options.env ?? process.env);
    if (ofSession !== undefined) return ofSession;
    const path = await this.#request({ type: "runtime-dir" }, undefined, wantDone);
    if (path === undefined) throw broken("no folder");
    return await ensurePrivateDirectory(path);
  }

  async linkSocket(target: string): Promise<void> {
    await this.#request({ type: "link", target }, undefined, wantDone);
  }

  /** A message of the helper's. */
  receive(message: unknown, handle: unknown): void {
    const waiting = this.#waiting;
    try {
      if (waiting === undefined) throw broken("an answer without a request");
      const reply = parseReply(message, waiting.id);
      this.#waiting = undefined;
      // In this tick: a listener that waited for a promise would accept connections that nobody sees.
      waiting.take(reply, handle);
    } catch (error) {
      closeHandle(handle);
      waiting?.fail(error);
      this.#waiting = undefined;
      this.lose(error);
    }
  }

  /** The helper can no longer be used. */
  lose(reason: unknown): void {
    const error = LocalizerError.from(reason, "unavailable");
    this.#waiting?.fail(error);
    this.#waiting = undefined;
    if (this.#ended === undefined && !this.#gone.signal.aborted) this.#gone.abort(error);
    this.#channel.close();
  }

  /** Lets the helper take back the block and the link, and waits for its end, but not long. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    const bounded = { action: "Cannot end the helper", timeoutMs: endTimeoutMs };
    let isDone = false;
    await withTimeout(this.#clock, bounded, (signal) => {
      const ended = this.#request({ type: "end" }, undefined, wantDone).then(() => {
        isDone = true;
        return this.#options.settled?.();
      });
      return Promise.race([ended, rejectOnAbort(signal)]);
    }).catch(() => this.#options.abandon?.());
    this.#isTidied = isDone;
    if (!isDone) this.#options.untidied?.();
    this.#channel.close();
  }

  /** Queues; `accept` runs in the tick in which the answer arrives. */
  #request<T>(body: RequestBody, signal: AbortSignal | undefined, want: Want<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      throwIfAborted(signal);
      if (this.#gone.signal.aborted) throw LocalizerError.from(this.#gone.signal.reason, "unavailable");
      return await this.#ask(body, want);
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #ask<T>(body: RequestBody, want: Want<T>): Promise<T> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<T>();
    const take = (reply: Reply, handle: unknown) => {
      if (reply.type === "failed") answer.reject((want.failure ?? failureOf)(reply));
      else answer.resolve(want.accept(reply, handle));
    };
    this.#waiting = { id, take, fail: answer.reject };
    const hangs = new LocalizerError("unavailable", `Cannot go on with the helper: no answer in ${answerTimeoutMs} ms`);
    using _timer = this.#clock.after(answerTimeoutMs, () => this.lose(hangs));
    this.#channel.send({ ...body, id }).catch((error: unknown) => this.lose(error));
    return await answer.promise;
  }
}

type Failed = Extract<Reply, { type: "failed" }>;

/** What a request makes of its answer. A throw of `accept` means that the helper broke the protocol. */
interface Want<T> {
  readonly accept: (answer: Exclude<Reply, Failed>, handle: unknown) => T;
  readonly failure?: (failed: Failed) => LocalizerError;
}

const wantDone: Want<string | undefined> = {
  accept(answer, handle) {
    if (answer.type !== "done" || handle !== undefined) throw broken("another answer than done");
    return answer.path;
  },
};

function failureOf(failed: Failed): LocalizerError {
  return new LocalizerError(failed.code, failed.message);
}

function systemError(failed: Failed): Error {
  return Object.assign(new Error(failed.message), { code: failed.errno });
}

function closeHandle(handle: unknown): void {
  if (handle instanceof Server) handle.close();
  else if (handle instanceof Socket) handle.destroy();
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}
