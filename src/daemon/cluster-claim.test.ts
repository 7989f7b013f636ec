import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { formatHolder } from "./claim-holder.ts";
import { claimCluster } from "./cluster-claim.ts";

const cluster = { serverUrl: "https://10.0.0.1:6443/", clusterName: "dev", socketPath: "/run/user/7/localizer.sock" };
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
    const options = { ...cluster, stateDir: join(folder.path, "state") };
    const first = await claimCluster(options);
    await assert.rejects(claimCluster({ ...options, socketPath: "/other" }), {
      code: "conflict",
      message: `Cannot serve cluster "dev": another localizer of yours does, process ${process.pid} (socket /run/user/7/localizer.sock); "localizer --socket /run/user/7/localizer.sock down" stops it`,
    });
    await using _other = await claimCluster({ ...options, serverUrl: "https://10.0.0.2:6443/" });
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    const second = await claimCluster(options);
    await first[Symbol.asyncDispose]();
    await assert.rejects(
      claimCluster(options),
      { code: "conflict" },
      "an old holder lets go of nothing that is not its own",
    );
    await second[Symbol.asyncDispose]();
    assert.equal(readdirSync(options.stateDir).length, 1);
  });

  it("takes over from a dead one, one that is no claim, and one who died while he took over", async () => {
    using folder = temporaryFolder();
    const stateDir = folder.path;
    const claim = await claimCluster({ ...cluster, stateDir });
    const [name = ""] = readdirSync(stateDir);
    const path = join(stateDir, name);
    const text = readFileSync(path, "utf8");
    await claim[Symbol.asyncDispose]();
    const nonces = ["a", "b"].map((letter) => letter.repeat(36));
    const [holder = "", heir = ""] = nonces.map((nonce) => formatHolder({ ...dead, ...cluster, nonce }));
    for (const left of [holder, "", "{", "null", text.replace(/"startTime":"/, "$&9")]) {
      writeFileSync(path, left);
      // Who was about to replace `holder`, and died.
      writeFileSync(`${path}.after-${nonces[0]}`, heir);
      writeFileSync(`${path}.new-${nonces[1]}`, heir);
      await using _claim = await claimCluster({ ...cluster, stateDir });
      assert.equal(JSON.parse(readFileSync(path, "utf8")).pid, process.pid);
      await assert.rejects(claimCluster({ ...cluster, stateDir }), { code: "conflict" });
      assert.deepEqual(readdirSync(stateDir), [name]);
    }
  });

  it("says why when what lies there cannot be used", async () => {
    using folder = temporaryFolder();
    const stateDir = join(folder.path, "state");
    await (await claimCluster({ ...cluster, stateDir: join(folder.path, "probe") }))[Symbol.asyncDispose]();
    writeFileSync(stateDir, "");
    await assert.rejects(claimCluster({ ...cluster, stateDir }), { message: /^Cannot serve cluster "dev": / });
  });

  it("never follows a link in the claim's place", async () => {
    using folder = temporaryFolder();
    const claim = await claimCluster({ ...cluster, stateDir: folder.path });
    const [name = ""] = readdirSync(folder.path);
    const path = join(folder.path, name);
    renameSync(path, join(folder.path, "elsewhere"));
    symlinkSync(join(folder.path, "elsewhere"), path);
    await assert.rejects(claimCluster({ ...cluster, stateDir: folder.path }), {
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
    const stateDir = folder.path;
    const first = await claimCluster({ ...cluster, stateDir });
    const [name = ""] = readdirSync(stateDir);
    await first[Symbol.asyncDispose]();
    const draft = `${name}.new-${"c".repeat(36)}`;
    writeFileSync(join(stateDir, draft), "");
    writeFileSync(join(stateDir, name), formatHolder({ ...dead, ...cluster, nonce: "d".repeat(36) }));
    await using _claim = await claimCluster({ ...cluster, stateDir });
    assert.deepEqual(readdirSync(stateDir).toSorted(), [name, draft]);
  });
});
