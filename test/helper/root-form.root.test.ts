// `sudo localizer` and plain root: the process is the helper, its child the user's part. Needs Linux and root.
import assert from "node:assert/strict";
import { chmodSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type HelperInstall, installHelper } from "../support/helper-install.ts";
import { type RemoteProcess, startRemote } from "../support/remote-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type ThrowawayUser, throwawayUser } from "../support/throwaway-user.ts";

const skip = process.platform === "linux" && process.geteuid?.() === 0 ? false : "needs Linux and root";
const original = "127.0.0.1 localhost\r\nno final newline";
let install: HelperInstall;
let user: ThrowawayUser;

if (skip === false) {
  before(() => {
    install = installHelper();
    user = throwawayUser(install.folder);
  });
  after(() => {
    user[Symbol.dispose]();
    install[Symbol.dispose]();
  });
}

test("runAsRootParent() gives the child the user's ids and groups and no capability", { skip }, async () => {
  await using world = start(["--user", user.name]);
  const child = Object(await world.part.fact("status"));
  assert.deepEqual(child.Uid, [user.uid, user.uid, user.uid, user.uid].join(" "));
  assert.deepEqual(child.Gid, [user.gid, user.gid, user.gid, user.gid].join(" "));
  assert.deepEqual(child.Groups.split(" ").map(Number).toSorted(), [user.gid, user.extraGid].toSorted());
  for (const set of ["CapEff", "CapPrm", "CapAmb", "CapInh"]) assert.match(child[set], /^0+$/);
  assert.equal(child.NoNewPrivs, "0");
  assert.deepEqual(await world.part.fact("helper"), { pid: world.part.pid, uid: 0 });
  const parent = readFileSync(`/proc/${world.part.pid}/status`, "utf8");
  assert.match(parent, /^Uid:\t0\t0\t0\t0$/m);
});

test("runAsRootParent() serves who called sudo, with his environment", { skip }, async () => {
  const env = { SUDO_UID: String(user.uid), SUDO_GID: String(user.gid), NODE_OPTIONS: "--no-warnings", LD_PRELOAD: "" };
  await using world = start([], env);
  const child = Object(await world.part.fact("env"));
  assert.deepEqual([child.HOME, child.USER, child.LOGNAME], [user.home, user.name, user.name]);
  for (const name of ["SUDO_UID", "SUDO_GID", "NODE_OPTIONS", "LD_PRELOAD"]) assert.equal(name in child, false, name);
});

test("runAsRootParent() binds low ports, writes hosts and link, and takes them back at the end", { skip }, async () => {
  await using world = start(["--user", user.name, "--ip-cidr", "127.77.0.0/16"]);
  const { part } = world;
  await part.fact("helper");
  part.tell("listen", "127.77.0.1", 80);
  assert.deepEqual(await part.fact("done"), null);
  assert.equal(await hear("127.77.0.1", 80), `hello from ${user.uid}`);
  part.tell("listen", "127.78.0.1", 80);
  assert.equal(await part.fact("failed"), "denied");
  part.tell("listen", "127.77.0.1", 80);
  assert.equal(await part.fact("failed"), "conflict");
  part.tell("hosts", "127.77.0.1", "cart.shop");
  await part.fact("done");
  assert.match(readFileSync(world.hosts, "utf8"), /\r\n127\.77\.0\.1 cart\.shop # localizer:\w+\r\n/);
  part.tell("runtime-dir");
  const runtime = Object(await part.fact("done"));
  assert.deepEqual(runtime, { path: `/run/localizer-${user.uid}`, uid: user.uid, mode: 0o700 });
  part.tell("link", join(runtime.path, "s.sock"));
  await part.fact("done");
  assert.ok(isLink(world.link));
  part.tell("link", "/etc/shadow");
  assert.equal(await part.fact("failed"), "denied");
  part.tell("end");
  assert.equal(await part.end, 7);
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(isLink(world.link), false);
});

test("runAsRootParent() takes back block and link when the user's part is killed", { skip }, async () => {
  await using world = start(["--user", user.name]);
  const { part } = world;
  const { Pid } = Object(await part.fact("status"));
  await makeAll(world);
  process.kill(Number(Pid), "SIGKILL");
  assert.equal(await part.end, 128 + 9);
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(isLink(world.link), false);
});

test("runAsRootParent() takes back block and link when the user's part is killed while listeners come", {
  skip,
}, async () => {
  for (let round = 0; round < 5; round++) {
    await using world = start(["--user", user.name]);
    const { part } = world;
    const { Pid } = Object(await part.fact("status"));
    await makeAll(world);
    part.tell("listen-on");
    await part.fact("done");
    // Another moment of the loop each time.
    await delay(round * 3);
    process.kill(Number(Pid), "SIGKILL");
    assert.equal(await part.end, 128 + 9);
    assert.equal(readFileSync(world.hosts, "utf8"), original);
    assert.equal(isLink(world.link), false);
  }
});

test("runAsRootParent() takes everything back and ends the child when that writes no JSON on the channel", {
  skip,
}, async () => {
  for (const bytes of ["not json\n", '{"cmd":"NODE_HANDLE_ACK"}\n']) {
    await using world = start(["--user", user.name]);
    const { part } = world;
    const { Pid } = Object(await part.fact("status"));
    await makeAll(world);
    part.tell("raw", bytes);
    assert.equal(await part.end, 1);
    assert.match(part.stderr(), /localizer: Cannot go on: /);
    assert.throws(() => process.kill(Number(Pid), 0), { code: "ESRCH" });
    assert.equal(readFileSync(world.hosts, "utf8"), original);
    assert.equal(isLink(world.link), false);
  }
});

test("runAsRootParent() reads relative places as the user's part does", { skip }, async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "hosts"), original);
  const places = ["--hosts-file", "hosts", "--socket", "public.sock", "--root-state-dir", "state"];
  const args = [install.bin, ...places, "--user", user.name];
  const part = startRemote(install.node, args, { env: { PATH: process.env.PATH }, cwd: folder.path });
  await using _part = part;
  await makeAll({ part, hosts: join(folder.path, "hosts"), link: join(folder.path, "public.sock") });
  part.tell("end");
  assert.equal(await part.end, 7);
  assert.equal(readFileSync(join(folder.path, "hosts"), "utf8"), original);
});

test("runAsRootParent() ignores places in the environment of sudo -E, and its child too", { skip }, async () => {
  const env = { LOCALIZER_IP_CIDR: "127.99.0.0/16", LOCALIZER_ROOT_STATE_DIR: "/tmp/x", LOCALIZER_CONTEXT: "kind" };
  const sudo = { SUDO_UID: String(user.uid), SUDO_GID: String(user.gid) };
  await using world = start([], { ...env, ...sudo });
  const child = Object(await world.part.fact("env"));
  assert.deepEqual(
    [child.LOCALIZER_IP_CIDR, child.LOCALIZER_ROOT_STATE_DIR, child.LOCALIZER_CONTEXT],
    [undefined, undefined, "kind"],
  );
  await world.part.fact("helper");
  world.part.tell("end");
  assert.equal(await world.part.end, 7);
  assert.match(
    world.part.stderr(),
    /Ignored LOCALIZER_IP_CIDR, LOCALIZER_ROOT_STATE_DIR.*: use --ip-cidr, --root-state-dir$/m,
  );
});

test("Helper.gone fires when the root parent is killed, and the next start mends what it left", { skip }, async () => {
  await using world = start(["--user", user.name]);
  await makeAll(world);
  process.kill(world.part.pid, "SIGKILL");
  assert.deepEqual(await world.part.fact("gone"), "Cannot reach the helper: it ended");
  await world.part.end;
  assert.notEqual(readFileSync(world.hosts, "utf8"), original);
  await using again = startIn(world, ["--user", user.name]);
  await again.part.fact("helper");
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(isLink(world.link), false);
  again.part.tell("end");
  assert.equal(await again.part.end, 7);
});

test("runAsRootParent() forwards TERM and INT as TERM and lives on", { skip }, async () => {
  await using world = start(["--user", user.name]);
  const { part } = world;
  await part.fact("helper");
  process.kill(part.pid, "SIGTERM");
  assert.deepEqual(await part.fact("signal"), "SIGTERM");
  process.kill(part.pid, "SIGINT");
  assert.deepEqual(await part.fact("signal"), "SIGTERM");
  process.kill(part.pid, "SIGHUP");
  part.tell("end");
  assert.equal(await part.end, 7);
});

test("runAsRootParent() without anybody to work for stays root, in root's own environment", { skip }, async () => {
  await using world = start([], { HOME: "/x" });
  const env = Object(await world.part.fact("env"));
  assert.deepEqual([env._LOCALIZER_PLAIN_ROOT, env.HOME], ["1", "/x"]);
  await world.part.fact("helper");
  world.part.tell("end");
  assert.equal(await world.part.end, 7);
});

test("bin runs another subcommand as the caller of sudo, without a helper", { skip }, async () => {
  await using world = start(["list"], { SUDO_UID: String(user.uid), SUDO_GID: String(user.gid) });
  const status = Object(await world.part.fact("status"));
  assert.equal(status.Uid.split(" ")[0], String(user.uid));
  assert.equal(Number(status.Pid), world.part.pid);
  assert.match(status.CapEff, /^0+$/);
  assert.equal(await world.part.end, 0);
});

test("bin names what the user may not read", { skip }, async () => {
  chmodSync(install.folder, 0o700);
  try {
    await using world = start(["--user", user.name]);
    assert.equal(await world.part.end, 5);
    assert.ok(world.part.stderr().includes(`user "${user.name}": the user may not read "${install.folder}"`));
  } finally {
    chmodSync(install.folder, 0o755);
  }
});

test("bin says that there is no such user", { skip }, async () => {
  await using world = start(["--user", "nobody-of-that-name"]);
  assert.equal(await world.part.end, 2);
  assert.match(world.part.stderr(), /Cannot find user "nobody-of-that-name"\n+ {2}Run "localizer help" to see/);
});

interface World extends AsyncDisposable {
  readonly part: RemoteProcess;
  readonly folder: string;
  readonly hosts: string;
  readonly link: string;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): World {
  const folder = temporaryFolder();
  writeFileSync(join(folder.path, "hosts"), original);
  const world = startIn({ folder: folder.path }, args, env);
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

function startIn({ folder }: { folder: string }, args: readonly string[], env: NodeJS.ProcessEnv = {}): World {
  const hosts = join(folder, "hosts");
  const link = join(folder, "public.sock");
  const places = ["--hosts-file", hosts, "--socket", link, "--root-state-dir", join(folder, "state")];
  const { PATH } = process.env;
  const part = startRemote(install.node, [install.bin, ...places, ...args], { env: { PATH, ...env } });
  return { part, folder, hosts, link, [Symbol.asyncDispose]: () => part[Symbol.asyncDispose]() };
}

async function makeAll({ part, hosts, link }: Pick<World, "part" | "hosts" | "link">): Promise<void> {
  await part.fact("helper");
  part.tell("hosts", "127.77.0.1", "cart.shop");
  await part.fact("done");
  part.tell("runtime-dir");
  const runtime = Object(await part.fact("done"));
  part.tell("link", join(runtime.path, "s.sock"));
  await part.fact("done");
  assert.match(readFileSync(hosts, "utf8"), /cart\.shop/);
  assert.ok(isLink(link));
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function hear(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    connect(port, host)
      .on("data", (bytes) => {
        text += bytes;
      })
      .on("end", () => resolve(text))
      .on("error", reject);
  });
}
