import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LocalizerError } from "../errors.ts";
import { listenUnixSocket, probeUnixSocket } from "./unix-socket.ts";

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
    await leaveStale(path);
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

/** Leaves what a killed listener leaves. */
async function leaveStale(path: string): Promise<void> {
  const program = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}

describe("listenUnixSocket()", () => {
  it("lets exactly one of several processes have a stale socket", async () => {
    using dir = folder();
    const path = join(dir.path, "s");
    await leaveStale(path);
    const program = `
      const { listenUnixSocket } = await import(process.argv[1]);
      const server = (await import("node:net")).createServer((socket) => socket.on("error", () => {}).resume());
      console.log("ready");
      process.stdin.once("data", () =>
        listenUnixSocket(server, process.argv[2]).then(
          () => console.log("won"),
          (error) => console.log(error.code),
        ),
      );
      process.stdin.once("end", () => process.exit());
    `;
    const module = join(import.meta.dirname, "unix-socket.ts");
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", program, module, path], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    await Promise.all(children.map((child) => once(child.stdout, "data")));
    const outcomes = children.map((child) => once(child.stdout, "data").then(([text]) => String(text).trim()));
    for (const child of children) child.stdin.write("go");
    assert.deepEqual((await Promise.all(outcomes)).toSorted(), ["conflict", "conflict", "conflict", "won"]);
    assert.equal(await probeUnixSocket(path), "live");
    assert.deepEqual(readdirSync(dir.path), ["s"]);
    const exits = children.map((child) => once(child, "exit"));
    for (const child of children) child.stdin.end();
    await Promise.all(exits);
  });

  it("removes the file when the server is closed", async () => {
    using dir = folder();
    const path = join(dir.path, "s");
    const server = createServer();
    await listenUnixSocket(server, path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    server.close();
    await once(server, "close");
    assert.equal(await probeUnixSocket(path), "absent");
  });
});
