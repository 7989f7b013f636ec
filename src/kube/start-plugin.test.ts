import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { systemClock } from "../clock.ts";
import { loadCluster } from "./kubeconfig.ts";

const limits = { timeout: 60_000 };

/** A user whose plug-in is this script, run by Node. */
function load(
  script: string,
  options: { env?: object; exec?: object; folder?: string; show?: (text: string) => void } = {},
) {
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    interactiveMode: "IfAvailable",
    command: process.execPath,
    args: ["-e", script],
    ...options.exec,
  };
  const config = {
    "current-context": "dev",
    contexts: [{ name: "dev", context: { cluster: "c", user: "joe" } }],
    clusters: [{ name: "c", cluster: { server: "https://api.example" } }],
    users: [{ name: "joe", user: { exec } }],
  };
  return loadCluster({
    path: join(options.folder ?? "/", "config"),
    env: { ...options.env },
    home: "/",
    readFile: async () => Buffer.from(JSON.stringify(config)),
    showPluginOutput: (chunk) => options.show?.(Buffer.from(chunk).toString()),
  });
}

const answer = `
  const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
  process.stdin.resume().on("end", () => {
    console.error("hello " + process.env.WHO);
    console.log(JSON.stringify({ ...info, status: { token: String(info.spec.interactive) } }));
  });`;

test("a plug-in runs as a process, without stdin, and answers", limits, async () => {
  const shown: string[] = [];
  await using cluster = await load(answer, { env: { WHO: "joe" }, show: (text) => shown.push(text) });
  assert.equal((await cluster.credentials.current()).headers.authorization, "Bearer false");
  assert.equal(shown.join(""), "hello joe\n");
});

test("a plug-in that fails is quoted", limits, async () => {
  await using cluster = await load(`console.error("no session"); process.exit(3)`);
  await assert.rejects(cluster.credentials.current(), {
    code: "unauthenticated",
    message: /^Cannot log in as "joe": needs login: ".*" ended with exit code 3: no session$/,
  });
});

test("a plug-in's process is gone when the cluster is disposed, though it stands still", limits, async () => {
  const started = Promise.withResolvers<number>();
  const show = (text: string) => started.resolve(Number(text));
  const cluster = await load(
    `process.on("SIGTERM", () => {}); console.error(process.pid); setInterval(() => {}, 1e6)`,
    { show },
  );
  const credential = assert.rejects(cluster.credentials.current(), { code: "aborted" });
  const pid = await started.promise;
  await cluster[Symbol.asyncDispose]();
  await credential;
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

for (const [title, habit] of [
  ["its children", ""],
  ["a child that will not", 'process.on("SIGTERM", () => {});'],
] as const) {
  test(`a plug-in without a terminal that is ended takes ${title} with it`, limits, async () => {
    // The child holds a connection while it lives.
    const connected = Promise.withResolvers<Socket>();
    const server = createServer(connected.resolve);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using _closing = { [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())) };
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const child = `${habit} require("node:net").connect(${address.port}, "127.0.0.1").on("error", () => {})`;
    const script = `
      require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "ignore" });
      setInterval(() => {}, 1e6);`;
    const cluster = await load(script);
    const credential = assert.rejects(cluster.credentials.current(), { code: "aborted" });
    const socket = await connected.promise;
    const gone = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
    socket.resume();
    await cluster[Symbol.asyncDispose]();
    await credential;
    await gone;
  });
}

test("a plug-in whose child keeps its output open ends all the same", limits, async () => {
  const script = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 5000)"], { stdio: ["ignore", "inherit", "inherit"] });
    child.unref();
    const { apiVersion, kind } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
    console.log(JSON.stringify({ apiVersion, kind, status: { token: "abc" } }));`;
  await using cluster = await load(script);
  const from = systemClock.monotonic();
  assert.equal((await cluster.credentials.current()).headers.authorization, "Bearer abc");
  assert.ok(systemClock.monotonic() - from < 4_500);
});

test(
  "a plug-in is found on the user's PATH, or by its kubeconfig's folder; what may not be run is said",
  limits,
  async () => {
    using folder = temporaryFolder();
    const bin = join(folder.path, "bin");
    mkdirSync(join(bin, "folder"), { recursive: true });
    const script = `#!/bin/sh\necho '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"'$0'"}}'\n`;
    for (const name of ["mine", "closed"]) writeFileSync(join(bin, name), script);
    chmodSync(join(bin, "mine"), 0o755);
    writeFileSync(join(bin, "broken"), "#!/no/such/interpreter\n", { mode: 0o755 });
    const run = async (command: string, PATH = `relative:/nowhere:${bin}`) => {
      await using cluster = await load("", { env: { PATH }, folder: folder.path, exec: { command, args: [] } });
      return (await cluster.credentials.current()).headers.authorization;
    };
    assert.equal(await run("mine"), `Bearer ${bin}/mine`);
    assert.equal(await run("./bin/mine", ""), `Bearer ${bin}/mine`);
    await assert.rejects(run("mine", "/nowhere:bin"), /needs the plug-in "mine", which does not exist on PATH$/);
    await assert.rejects(run("bin/none"), /needs the plug-in "bin\/none", which does not exist at "/);
    await assert.rejects(run("closed"), /needs the plug-in "closed", which may not be run by this user/);
    await assert.rejects(run("folder"), /needs the plug-in "folder", which may not be run by this user/);
    await assert.rejects(run("broken"), /needs the plug-in "broken", which cannot be started: the interpreter/);
  },
);
