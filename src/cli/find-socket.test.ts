import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openFakeDaemon, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { findSocket } from "./find-socket.ts";

const none = new Map<string, string[]>();

describe("findSocket()", () => {
  it("takes the one that was named, whether it is there or not", async () => {
    assert.equal(await findSocket(new Map([["socket", ["/named"]]]), { env: {}, uid: 1 }), "/named");
  });

  it("prefers the well-known path when a daemon answers there", async () => {
    await using daemon = await openFakeDaemon();
    using folder = temporaryFolder();
    const wellKnown = join(folder.path, "link");
    symlinkSync(daemon.socketPath, wellKnown);
    const io = { env: { XDG_RUNTIME_DIR: folder.path }, uid: 1 };
    assert.equal(await findSocket(none, io, wellKnown), wellKnown);
  });

  it("finds the user's own daemon behind a well-known path that leads nowhere or is dead", async () => {
    await using runtime = await daemonInRuntimeFolder();
    const dead = join(runtime.path, "dead");
    writeFileSync(dead, "");
    for (const wellKnown of [join(runtime.path, "absent"), dead]) {
      assert.equal(await findSocket(none, { env: { XDG_RUNTIME_DIR: runtime.path }, uid: 1 }, wellKnown), runtime.own);
    }
  });

  it("names the well-known path if that is there, else the user's own, when nobody answers", async () => {
    using folder = temporaryFolder();
    const wellKnown = join(folder.path, "well-known");
    assert.equal(await findSocket(none, { env: {}, uid: 42 }, wellKnown), "/run/localizer-42/localizer.sock");
    writeFileSync(wellKnown, "");
    assert.equal(await findSocket(none, { env: {}, uid: 42 }, wellKnown), wellKnown);
  });
});

async function daemonInRuntimeFolder() {
  const folder = temporaryFolder();
  const daemon = await openFakeDaemon();
  const own = join(folder.path, "localizer", "localizer.sock");
  mkdirSync(join(folder.path, "localizer"));
  symlinkSync(daemon.socketPath, own);
  return {
    path: folder.path,
    own,
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
