import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { ApiClient } from "./api-client.ts";
import { statusError } from "./api-status.ts";
import { Reflector } from "./reflector.ts";
import { Store, type StoredObject } from "./store.ts";

const services = { group: "", version: "v1", plural: "services" } as const;

/** What one watch does: open or not, then hang for so long or until it is cancelled. */
interface Script {
  readonly opens: boolean;
  readonly hangMs: number;
  readonly bookmarks?: boolean;
}

/** A client without a network; its watches go by a script, the rest hang. */
class ScriptedClient implements Pick<ApiClient, "getList" | "watch"> {
  readonly calls: string[] = [];
  readonly #clock: FakeClock;
  readonly #watches: Script[];
  readonly #listFailures: LocalizerError[];
  #wake = () => {};

  constructor(clock: FakeClock, watches: readonly Script[], listFailures: readonly LocalizerError[] = []) {
    this.#clock = clock;
    this.#watches = [...watches];
    this.#listFailures = [...listFailures];
  }

  async getList(path: string) {
    this.#called("list", path);
    const failure = this.#listFailures.shift();
    if (failure !== undefined) throw failure;
    return { list: { metadata: { resourceVersion: "50" }, items: [] }, items: [] };
  }

  async *watch(path: string, options: Parameters<ApiClient["watch"]>[1] = {}): ReturnType<ApiClient["watch"]> {
    this.#called("watch", path);
    const script = this.#watches.shift() ?? { opens: true, hangMs: 1e9 };
    if (!script.opens) {
      await this.#clock.sleep(30_000, options.signal);
      throw new LocalizerError("timeout", "Cannot watch: no answer within 30000 ms");
    }
    options.onOpen?.();
    await this.#clock.sleep(script.hangMs, options.signal);
    if (script.bookmarks) yield { type: "BOOKMARK", object: { metadata: { resourceVersion: "60" } } };
  }

  async until(count: number): Promise<void> {
    while (this.calls.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #called(verb: string, path: string): void {
    this.calls.push(`${verb} ${new URL(path, "http://x").searchParams.get("resourceVersion") ?? ""}`);
    this.#wake();
  }
}

function follow(clock: FakeClock, client: ScriptedClient): Reflector<StoredObject> {
  const parse = () => ({ namespace: "", name: "", uid: "" });
  const components = { client, store: new Store<StoredObject>(), clock, log: silentLogger(), random: () => 1 };
  const reflector = new Reflector(components, { scope: { resource: services }, parse });
  void reflector.run();
  return reflector;
}

test("Reflector gives up a watch that is not accepted in 30 s, and lists consistently", async () => {
  const clock = new FakeClock();
  const client = new ScriptedClient(clock, [{ opens: false, hangMs: 1e9 }]);
  await using reflector = follow(clock, client);
  await client.until(2);
  await clock.advance(30_000);
  assert.equal(reflector.status.lastError?.code, "timeout");
  await clock.advance(800);
  await client.until(4);
  assert.deepEqual(client.calls, ["list 0", "watch 50", "list ", "watch 50"]);
});

test("Reflector gives up a watch that the server does not end in time", async () => {
  const clock = new FakeClock();
  const client = new ScriptedClient(clock, [{ opens: true, hangMs: 1e9 }]);
  await using reflector = follow(clock, client);
  await client.until(2);
  await clock.advance(614_000);
  assert.equal(reflector.status.state, "watching");
  await clock.advance(1_000);
  assert.equal(reflector.status.state, "retrying");
  await clock.advance(800);
  await client.until(4);
  assert.equal(client.calls[2], "list ");
});

test("Reflector lists consistently after a long watch without a sign of life, for the version may be a future one", async () => {
  const clock = new FakeClock();
  const client = new ScriptedClient(clock, [{ opens: true, hangMs: 400_000 }]);
  await using reflector = follow(clock, client);
  await client.until(2);
  await clock.advance(400_000);
  await client.until(4);
  assert.deepEqual(client.calls, ["list 0", "watch 50", "list ", "watch 50"]);
  assert.equal(reflector.status.state, "watching");
});

test("Reflector watches on after a long watch with bookmarks only", async () => {
  const clock = new FakeClock();
  const client = new ScriptedClient(clock, [{ opens: true, hangMs: 400_000, bookmarks: true }]);
  await using _reflector = follow(clock, client);
  await client.until(2);
  await clock.advance(400_000);
  await client.until(3);
  assert.deepEqual(client.calls, ["list 0", "watch 50", "watch 60"]);
});

test("Reflector backs off from watches that end at once", async () => {
  const clock = new FakeClock();
  const client = new ScriptedClient(clock, [{ opens: true, hangMs: 10 }]);
  await using reflector = follow(clock, client);
  await client.until(2);
  await clock.advance(10);
  assert.equal(reflector.status.state, "retrying");
  assert.match(reflector.status.lastError?.message ?? "", /ended at once/);
});

test("Reflector lists consistently when a list asked for a version that the server does not know yet", async () => {
  const clock = new FakeClock();
  const tooLarge = statusError("Cannot get", 504, { reason: "Timeout", message: "Too large resource version" });
  const broken = new LocalizerError("unavailable", "gone");
  const client = new ScriptedClient(clock, [], [broken, tooLarge]);
  await using _reflector = follow(clock, client);
  await client.until(1);
  for (const count of [2, 3]) {
    await clock.advance(await clock.asleep());
    await client.until(count);
  }
  assert.deepEqual(client.calls.slice(0, 3), ["list 0", "list 0", "list "]);
});
