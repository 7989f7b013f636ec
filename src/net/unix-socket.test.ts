import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { leaveStale } from "../../test/support/stale-socket.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { LocalizerError } from "../errors.ts";
import { bindUnixSocket, probeUnixSocket } from "./unix-socket.ts";

describe("probeUnixSocket()", () => {
  it("says live while somebody listens, also through a link", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    const server = createServer((socket) => socket.resume().on("error", () => {}));
    server.listen(path);
    await once(server, "listening");
    symlinkSync(path, join(dir.path, "link"));
    assert.equal(await probeUnixSocket(path), "live");
    assert.equal(await probeUnixSocket(join(dir.path, "link")), "live");
    server.close();
    await once(server, "close");
    assert.equal(await probeUnixSocket(path), "absent");
    assert.equal(await probeUnixSocket(join(dir.path, "link")), "absent", "a link to nowhere");
  });

  it("says dead after the listener's process was killed", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    await leaveStale(path);
    assert.equal(await probeUnixSocket(path), "dead");
  });

  it("looks again when the listener closes with the probe in its queue", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    const server = createServer();
    server.listen(path);
    await once(server, "listening");
    const state = probeUnixSocket(path);
    server.close();
    assert.equal(await state, "absent");
  });

  it("says dead for a file that is no socket", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "f");
    writeFileSync(path, "");
    assert.equal(await probeUnixSocket(path), "dead");
  });

  it("refuses a path that is too long for a socket", async () => {
    await assert.rejects(
      probeUnixSocket(`/tmp/${"x".repeat(200)}`),
      (error) => error instanceof LocalizerError && error.code === "usage",
    );
  });
});

describe("bindUnixSocket()", () => {
  it("makes a socket for its owner only, and removes the file when the server is closed", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    const server = createServer();
    await bindUnixSocket(server, path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await assert.rejects(bindUnixSocket(createServer(), path), { code: "conflict" });
    assert.equal(server.listenerCount("error"), 0);
    server.close();
    await once(server, "close");
    assert.equal(await probeUnixSocket(path), "absent");
  });
});
