/**
 * The helper itself, the only code that runs as root: it waits for a request, checks it, does it, answers.
 * Promises to take no second request before the first is over, and to take back block and link however it ends.
 * Used by main.ts (through sudo) and by launch.ts (when localizer was started as root).
 */
import { createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { codeOf, errnoOf, LocalizerError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import type { HelperConfig } from "./config.ts";
import { broken } from "./fields.ts";
import { Places, type Say } from "./places.ts";
import {
  helperHello,
  hostsTable,
  listenAddress,
  parseClientHello,
  parseReceived,
  parseRequest,
  type Reply,
  type Request,
} from "./protocol.ts";

/**
 * Tidies up after dead helpers, then serves the channel. Resolves when the other side asked for the end, closed the channel or
 * broke the protocol, or when `stop` fired, and everything was taken back. Never throws.
 */
export async function serveHelper(channel: Channel, config: HelperConfig, say: Say, stop?: AbortSignal): Promise<void> {
  // Small and for long: some 8 MiB less with 1,000 services (`npm run bench -- --only many`).
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--optimize-for-size");
  const places = await Places.open(config, say);
  const conversation = new Conversation(channel, config, places, say);
  channel.onMessage((message, handle) => conversation.receive(message, handle));
  channel.onClose(() => conversation.end());
  const end = () => conversation.end();
  if (stop?.aborted) end();
  stop?.addEventListener("abort", end, { once: true });
  const strand = () => conversation.strand();
  process.on("beforeExit", strand);
  await conversation.ended;
  process.off("beforeExit", strand);
  stop?.removeEventListener("abort", end);
}

type Stage =
  | { readonly is: "greeting" }
  | { readonly is: "idle" }
  | { readonly is: "busy" }
  /** A listener is on its way; only the word that it arrived may come next. */
  | { readonly is: "handing-over"; readonly id: number }
  | { readonly is: "ended" };

class Conversation {
  readonly #channel: Channel;
  readonly #config: HelperConfig;
  readonly #places: Places;
  readonly #say: Say;
  readonly #ended = Promise.withResolvers<void>();
  readonly #stranded = Promise.withResolvers<void>();
  #stage: Stage = { is: "greeting" };
  #work: Promise<void> = Promise.resolve();

  constructor(channel: Channel, config: HelperConfig, places: Places, say: Say) {
    this.#channel = channel;
    this.#config = config;
    this.#places = places;
    this.#say = say;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  receive(message: unknown, handle: unknown): void {
    if (this.#stage.is === "ended") return;
    try {
      if (handle !== undefined) throw broken("a socket towards the helper");
      this.#step(message);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Waits for what is being done, takes everything back, and closes the channel. */
  end(): void {
    if (this.#stage.is === "ended") return;
    this.#stage = { is: "ended" };
    void Promise.race([this.#work, this.#stranded.promise])
      .then(() => this.#places.tidy())
      .finally(() => {
        this.#channel.close();
        this.#ended.resolve();
      });
  }

  /**
   * The event loop ran empty, so what is waited for will not come. Node tells nobody of a channel that broke while a listener
   * was on its way and not acknowledged: the end of the other side is heard of here only.
   */
  strand(): void {
    this.#stranded.resolve();
    this.end();
  }

  #step(message: unknown): void {
    switch (this.#stage.is) {
      case "greeting":
        parseClientHello(message);
        this.#stage = { is: "idle" };
        void this.#send(helperHello(process.pid, process.geteuid?.() ?? 0, this.#places.removed));
        return;
      case "idle": {
        const request = parseRequest(message);
        this.#stage = { is: "busy" };
        this.#work = this.#answer(request);
        return;
      }
      case "busy":
        throw broken("a second request before the first was answered");
      case "handing-over":
        parseReceived(message, this.#stage.id);
        this.#stage = { is: "idle" };
        return;
      case "ended":
        return;
      default:
        this.#stage satisfies never;
    }
  }

  /** Never throws: what goes wrong is the answer. */
  async #answer(request: Request): Promise<void> {
    const { id } = request;
    try {
      const path = await this.#perform(request);
      // A listener was its own answer.
      if (request.type !== "bind")
        await this.#reply(path === undefined ? { type: "done", id } : { type: "done", id, path });
    } catch (error) {
      await this.#reply(failed(id, error));
    }
    if (request.type === "end") this.end();
  }

  async #perform(request: Request): Promise<string | undefined> {
    switch (request.type) {
      case "bind":
        await this.#bind(request);
        return undefined;
      case "release":
        await this.#places.release(request.address);
        return undefined;
      case "hosts":
        await this.#places.writeHosts(hostsTable(request.entries, this.#config.range));
        return undefined;
      case "link":
        await this.#places.link(request.target);
        return undefined;
      case "runtime-dir":
        return await this.#places.runtimeDirectory();
      case "end":
        await this.#places.tidy(true);
        return undefined;
      default:
        return request satisfies never;
    }
  }

  async #bind(request: { id: number; address: string; port: number }): Promise<void> {
    const at = listenAddress(request, this.#config.range);
    await this.#places.ensureAddress(at.address);
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen({ host: at.address, port: at.port, exclusive: true }, () => {
        if (this.#stage.is === "busy") this.#stage = { is: "handing-over", id: request.id };
        // Both in this tick: between them this process would accept connections that nobody serves. And the next listener
        // only after the other side's own word, or Node queues it and closes it unsent.
        const sent = this.#channel.send({ type: "bound", id: request.id }, server);
        server.close();
        sent.then(resolve, reject);
      });
    });
  }

  async #reply(reply: Reply): Promise<void> {
    if (this.#stage.is === "busy") this.#stage = { is: "idle" };
    await this.#send(reply);
  }

  async #send(message: object): Promise<void> {
    // A channel that cannot be written is closed, and its end is on the way.
    await this.#channel.send(message).catch(() => {});
  }

  #refuse(error: unknown): void {
    const { message } = LocalizerError.from(error);
    this.#say(message);
    void this.#send({ type: "refused", message });
    this.end();
  }
}

function failed(id: number, error: unknown): Reply {
  const { message } = LocalizerError.from(error);
  const errno = error instanceof LocalizerError ? undefined : errnoOf(error);
  const answer = { type: "failed", id, code: codeOf(error), message: message.slice(0, 1000) } as const;
  return errno === undefined ? answer : { ...answer, errno };
}
