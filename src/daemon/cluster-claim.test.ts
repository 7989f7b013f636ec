import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { formatHolder } from "./claim-holder.ts";
import { claimCluster } from "./cluster-claim.ts";

const socketPath = "/run/user/7/localizer.sock";
const cluster = { serverUrl: "https://10.0.0.1:6443/", clusterName: "dev" };
const old = { ...cluster, socketPath: "" };
/** Pids on Linux end at 2^22. */
const dead = { pid: 2 ** 22 + 1, startTime: "1", bootId: "b" };
const contender = join(import.meta.dirname, "../../test/support/claim-contender.ts");

function start(folder: string): ChildProcess & { readonly said: Promise<string> } {
  const child = spawn(process.execPath, [contender, folder], { stdio: ["pipe", "pipe", "inherit"] });
  return Object.assign(child, { said: once(child.stdout, "data").then(([data]) => String(data).trim()) });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

describe("claimCluster()", () => {
  it("refuses a second daemon with who has it, and how to stop that one, until the first lets go", async () => {
    using folder = temporaryFolder();
    const options = { ...cluster, folder: folder.path };
    const first = await claimCluster(options);
    const refused = (message: string, more = {}) =>
      assert.rejects(claimCluster({ ...options, ...more }), {
        code: "conflict",
        message: `Cannot serve cluster "dev": ${message}`,
      });
    await refused(`another localizer of yours is about to, process ${process.pid}`);
    await first.answersOn(socketPath);
    const does = `another localizer of yours does, process ${process.pid} (socket ${socketPath})`;
    await refused(`${does}; "localizer down --socket ${socketPath}" stops it`);
    await refused(`${does}; "localizer down" stops it`, { foundSockets: ["/other", socketPath] });
    await using _other = await claimCluster({ ...options, serverUrl: "https://10.0.0.2:6443/" });
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    const second = await claimCluster(options);
    await first[Symbol.asyncDispose]();
    await first.answersOn("/stale");
    await assert.rejects(
      claimCluster(options),
      { code: "conflict" },
      "an old holder lets go of nothing that is not its own",
    );
    await second[Symbol.asyncDispose]();
    assert.equal(readdirSync(options.folder).length, 1);
  });

  it("takes over from a dead one, one that is no claim, and one who died while he took over", async () => {
    using folder = temporaryFolder();
    const { path: place } = folder;
    const claim = await claimCluster({ ...cluster, folder: place });
    const [name = ""] = readdirSync(place);
    const path = join(place, name);
    const text = readFileSync(path, "utf8");
    await claim[Symbol.asyncDispose]();
    const nonces = ["a", "b"].map((letter) => letter.repeat(36));
    const [holder = "", heir = ""] = nonces.map((nonce) => formatHolder({ ...dead, ...old, nonce }));
    for (const left of [holder, "", "{", "null", text.replace(/"startTime":"/, "$&9")]) {
      writeFileSync(path, left);
      // Who was about to replace `holder`, and died.
      writeFileSync(`${path}.after-${nonces[0]}`, heir);
      writeFileSync(`${path}.new-${nonces[1]}`, heir);
      await using _claim = await claimCluster({ ...cluster, folder: place });
      assert.equal(JSON.parse(readFileSync(path, "utf8")).pid, process.pid);
      await assert.rejects(claimCluster({ ...cluster, folder: place }), { code: "conflict" });
      assert.deepEqual(readdirSync(place), [name]);
    }
  });

  it("says why when what lies there cannot be used", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    await assert.rejects(claimCluster({ ...cluster, folder: file }), { message: /^Cannot serve cluster "dev": / });
  });

  it("never follows a link in the claim's place", async () => {
    using folder = temporaryFolder();
    const claim = await claimCluster({ ...cluster, folder: folder.path });
    const [name = ""] = readdirSync(folder.path);
    const path = join(folder.path, name);
    renameSync(path, join(folder.path, "elsewhere"));
    symlinkSync(join(folder.path, "elsewhere"), path);
    await assert.rejects(claimCluster({ ...cluster, folder: folder.path }), {
      message: /^Cannot serve cluster "dev": /,
    });
    await claim[Symbol.asyncDispose]();
  });

  it("has one winner among many that start at once after a kill, every time", { timeout: 60_000 }, async () => {
    using folder = temporaryFolder();
    await using contenders = new AsyncDisposableStack();
    const contend = () => {
      const child = start(folder.path);
      contenders.defer(() => kill(child));
      return child;
    };
    let holder = contend();
    assert.equal(await holder.said, "claimed");
    for (let round = 0; round < 3; round++) {
      await kill(holder);
      const rivals = Array.from({ length: 4 }, contend);
      const said = await Promise.all(rivals.map((rival) => rival.said));
      assert.deepEqual(said.toSorted(), ["claimed", "conflict", "conflict", "conflict"]);
      const winner = rivals[said.indexOf("claimed")];
      assert.ok(winner !== undefined);
      holder = winner;
    }
    await contenders.disposeAsync();
    assert.equal(readdirSync(folder.path).length, 1, "no lock and no draft stays");
  });

  it("leaves a draft alone that is just being written", async () => {
    using folder = temporaryFolder();
    const { path: place } = folder;
    const first = await claimCluster({ ...cluster, folder: place });
    const [name = ""] = readdirSync(place);
    await first[Symbol.asyncDispose]();
    const draft = `${name}.new-${"c".repeat(36)}`;
    writeFileSync(join(place, draft), "");
    writeFileSync(join(place, name), formatHolder({ ...dead, ...old, nonce: "d".repeat(36) }));
    await using _claim = await claimCluster({ ...cluster, folder: place });
    assert.deepEqual(readdirSync(place).toSorted(), [name, draft]);
  });
});
