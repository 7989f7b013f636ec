import assert from "node:assert/strict";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openFakeDaemon, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { findSocket } from "./find-socket.ts";

const none = new Map<string, string[]>();
const uid = process.geteuid?.() ?? 0;

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
    assert.equal(await findSocket(none, io, { wellKnown }), wellKnown);
  });

  it("finds the user's own daemon behind a well-known path that leads nowhere or is dead", async () => {
    await using machine = await testMachine();
    const own = machine.daemonIn(machine.runtime, "localizer");
    const dead = join(machine.path, "dead");
    writeFileSync(dead, "");
    for (const wellKnown of [join(machine.path, "absent"), dead]) {
      assert.equal(await findSocket(none, machine.io, { ...machine, wellKnown }), own);
    }
  });

  it("asks the user's own folder before the one below /tmp", async () => {
    await using machine = await testMachine();
    const fallback = machine.daemonIn(machine.temporary, `localizer-${uid}`);
    assert.equal(await findSocket(none, machine.io, machine), fallback);
    const own = machine.daemonIn(machine.runtime, "localizer");
    assert.equal(await findSocket(none, machine.io, machine), own);
  });

  it("never takes a socket below /tmp that another user can have made", async () => {
    await using machine = await testMachine();
    const own = join(machine.runtime, "localizer", "localizer.sock");
    const folder = join(machine.temporary, `localizer-${uid}`);
    machine.daemonIn(machine.temporary, `localizer-${uid}`);
    for (const mode of [0o755, 0o711, 0o770]) {
      chmodSync(folder, mode);
      assert.equal(await findSocket(none, machine.io, machine), own, mode.toString(8));
    }
    chmodSync(folder, 0o700);
    renameSync(folder, join(machine.path, "elsewhere"));
    symlinkSync(join(machine.path, "elsewhere"), folder);
    assert.equal(await findSocket(none, machine.io, machine), own, "a link");
    // The folders are ours; for somebody else they are another user's.
    machine.daemonIn(machine.temporary, `localizer-${uid + 1}`);
    const other = { env: {}, uid: uid + 1 };
    assert.equal(await findSocket(none, other, machine), `/run/localizer-${uid + 1}/localizer.sock`);
  });

  it("refuses a folder of the user's own that others can enter, when there is nothing else", async () => {
    await using machine = await testMachine();
    machine.daemonIn(machine.runtime, "localizer");
    chmodSync(join(machine.runtime, "localizer"), 0o755);
    await assert.rejects(findSocket(none, machine.io, machine), { code: "denied" });
  });

  it("names the well-known path if that is there, else the user's own, when nobody answers", async () => {
    await using machine = await testMachine();
    const io = { env: {}, uid: 42 };
    assert.equal(await findSocket(none, io, machine), "/run/localizer-42/localizer.sock");
    writeFileSync(machine.wellKnown, "");
    assert.equal(await findSocket(none, io, machine), machine.wellKnown);
  });
});

/** A folder for each place where a socket may be, all empty, and a daemon that can be put into any. */
async function testMachine() {
  const folder = temporaryFolder();
  const daemon = await openFakeDaemon();
  const { path } = folder;
  const runtime = join(path, "runtime");
  const temporary = join(path, "tmp");
  for (const made of [runtime, temporary]) mkdirSync(made);
  return {
    path,
    runtime,
    temporary,
    wellKnown: join(path, "well-known"),
    io: { env: { XDG_RUNTIME_DIR: runtime }, uid },
    daemonIn(parent: string, name: string): string {
      const socket = join(parent, name, "localizer.sock");
      mkdirSync(join(parent, name), { mode: 0o700 });
      symlinkSync(daemon.socketPath, socket);
      return socket;
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
