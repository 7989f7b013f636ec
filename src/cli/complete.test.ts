import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cart, openFakeDaemon, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { exposedCart } from "../../test/rpc/fake-exposure.ts";
import { fakeIo } from "../../test/rpc/fake-io.ts";
import { main } from "./main.ts";

async function completed(env: NodeJS.ProcessEnv, ...words: readonly string[]): Promise<readonly string[]> {
  const io = fakeIo(env);
  assert.equal(await main(["__complete", ...words], io), 0);
  assert.equal(io.err(), "");
  return io
    .out()
    .split("\n")
    .filter((line) => line !== "");
}

describe("complete()", () => {
  it("prints what fits, with what it means", async () => {
    assert.deepEqual(await completed({}, "pi"), ["ping\tsay whether the daemon answers, and which cluster it serves"]);
    assert.deepEqual(await completed({}, "list", "--output=w"), ["--output=wide\t"]);
    assert.deepEqual(await completed({}, "--kubeconfig", ""), [":files"]);
  });

  it("asks the daemon for Services and namespaces, on the socket that is meant", async () => {
    await using daemon = await openFakeDaemon();
    const { socketPath } = daemon;
    const env = { LOCALIZER_SOCKET: socketPath };
    assert.deepEqual(await completed(env, "wait", ""), ["bank/ledger\tdenied", "shop/cart\trunning"]);
    assert.deepEqual(await completed(env, "list", "--namespace", ""), ["bank\t", "shop\t"]);
    for (const flag of [["--socket", socketPath], [`--socket=${socketPath}`], ["--socket", "=", socketPath]]) {
      assert.deepEqual(await completed({}, ...flag, "wait", "s"), ["shop/cart\trunning"]);
    }
  });

  it("offers what is exposed for giving back, and files for a program", async () => {
    await using daemon = await openFakeDaemon({ exposures: () => [exposedCart] });
    const env = { LOCALIZER_SOCKET: daemon.socketPath };
    assert.deepEqual(await completed(env, "expose", ""), ["bank/ledger\tdenied", "shop/cart\trunning"]);
    assert.deepEqual(await completed(env, "expose", "--stop", ""), ["shop/cart\texposed"]);
    assert.deepEqual(await completed(env, "expose", "shop/cart", ""), []);
    assert.deepEqual(await completed(env, "expose", "shop/cart", "--", "nod"), [":files"]);
    assert.deepEqual(await completed(env, "expose", "--mesh", "i"), ["inherit\t"]);
  });

  it("is silent without a daemon", async () => {
    using folder = temporaryFolder();
    assert.deepEqual(await completed({ LOCALIZER_SOCKET: join(folder.path, "s") }, "wait", ""), []);
  });

  it("keeps a hostile answer on its line", async () => {
    await using daemon = await openFakeDaemon({ list: () => [{ ...cart, name: "a\nb\tc" }] });
    assert.deepEqual(await completed({ LOCALIZER_SOCKET: daemon.socketPath }, "wait", ""), ["shop/a b c\trunning"]);
  });
});
