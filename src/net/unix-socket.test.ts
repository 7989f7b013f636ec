import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LocalizerError } from "../errors.ts";
import { probeUnixSocket } from "./unix-socket.ts";

function folder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "localizer-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe("probeUnixSocket()", () => {
  it("says live while somebody listens, also through a link", async () => {
    using dir = folder();
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
    using dir = folder();
    const path = join(dir.path, "s");
    const program = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
    const child = spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(await probeUnixSocket(path), "dead");
  });

  it("says dead for a file that is no socket", async () => {
    using dir = folder();
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
