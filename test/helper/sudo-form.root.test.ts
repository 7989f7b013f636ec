// The ordinary form: the user's process asks sudo for the helper. Needs Linux and root, to make a user who may call sudo.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type HelperInstall, installHelper } from "../support/helper-install.ts";
import { type RemoteProcess, startRemote } from "../support/remote-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type ThrowawayUser, throwawayUser } from "../support/throwaway-user.ts";

const skip = process.platform === "linux" && process.geteuid?.() === 0 ? false : "needs Linux and root";
const original = "127.0.0.1 localhost\n";
let install: HelperInstall;
let user: ThrowawayUser;

if (skip === false) {
  before(() => {
    install = installHelper();
    // As on a fresh Debian, but without the password.
    user = throwawayUser(install.folder, {
      sudoers: ["Defaults:USER env_reset, use_pty, !lecture", "USER ALL=(root) NOPASSWD: /usr/bin/env"],
    });
  });
  after(() => {
    user[Symbol.dispose]();
    install[Symbol.dispose]();
  });
}

test("launchHelperThroughSudo() gives a user listeners on low ports, hosts, link and runtime folder", {
  skip,
}, async () => {
  await using world = start();
  const { part } = world;
  const status = Object(await part.fact("status"));
  assert.equal(status.Uid.split(" ")[0], String(user.uid));
  const helper = Object(await part.fact("helper"));
  assert.equal(helper.uid, 0);
  assert.match(readFileSync(`/proc/${helper.pid}/status`, "utf8"), /^Uid:\t0\t0\t0\t0$/m);
  part.tell("listen", "127.76.0.1", 80);
  assert.equal(await part.fact("done"), null);
  await makeAll(world);
  part.tell("end");
  await part.fact("end");
  assert.equal(await part.end, 7);
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(isLink(world.link), false);
  assert.equal(isAlive(helper.pid), false);
});

test("launchHelperThroughSudo() keeps the user's environment and gives the helper none of it", { skip }, async () => {
  await using world = start({ env: { KUBECONFIG: "/k", NODE_OPTIONS: "--no-deprecation" } });
  assert.equal(Object(await world.part.fact("env")).KUBECONFIG, "/k");
  const { pid } = Object(await world.part.fact("helper"));
  assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "utf8"), /\0(KUBECONFIG|NODE_OPTIONS)=/);
});

test("launchHelperThroughSudo(): the helper tidies up and ends when the user's part is killed", { skip }, async () => {
  await using world = start();
  const { pid } = Object(await world.part.fact("helper"));
  await makeAll(world);
  process.kill(world.part.pid, "SIGKILL");
  await world.part.end;
  await until(() => !isAlive(pid));
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(isLink(world.link), false);
});

test("launchHelperThroughSudo(): gone fires when the helper is killed", { skip }, async () => {
  await using world = start();
  const { pid } = Object(await world.part.fact("helper"));
  process.kill(pid, "SIGKILL");
  assert.match(String(await world.part.fact("gone")), /^Cannot reach the helper/);
  assert.equal(await world.part.end, 9);
});

test("launchHelperThroughSudo() says what to do when sudo refuses", { skip }, async () => {
  using _rule = sudoRule("NOPASSWD: /bin/true");
  await using world = start();
  assert.equal(await world.part.fact("noHelper"), "denied");
  assert.equal(await world.part.end, 3);
});

test("launchHelperThroughSudo() lets sudo ask for the password on the terminal", { skip }, async () => {
  using _rule = sudoRule("PASSWD: /usr/bin/env");
  execFileSync("chpasswd", { input: `${user.name}:secret` });
  await using world = start({ onTerminal: true });
  await world.part.seen("password for");
  world.part.type("secret\n");
  assert.equal(Object(await world.part.fact("helper")).uid, 0);
  world.part.tell("end");
  await world.part.fact("end");
  await world.part.end;
});

test("launchHelperThroughSudo() says denied after three wrong passwords", { skip }, async () => {
  using _rule = sudoRule("PASSWD: /usr/bin/env");
  execFileSync("chpasswd", { input: `${user.name}:secret` });
  await using world = start({ onTerminal: true });
  for (const times of [1, 2, 3]) {
    // Only at its prompt: sudo throws away what was typed before.
    await world.part.seen("password for", times);
    world.part.type("wrong\n");
  }
  assert.equal(await world.part.fact("noHelper"), "denied");
});

test("launchHelperThroughSudo() says what to do when there is no sudo", { skip }, async () => {
  await using world = start({ env: { TEST_SUDO: "/nonexistent/sudo" } });
  const message = world.part.fact("message");
  assert.match(String(await message), /sudo cannot be started\. Start "sudo localizer" instead, or use --no-helper/);
  assert.equal(await world.part.end, 3);
});

test("on a terminal with sudo's use_pty Ctrl-C reaches the user's part and leaves the helper", { skip }, async () => {
  await using world = start({ onTerminal: true });
  const { part } = world;
  const { pid } = Object(await part.fact("helper"));
  part.type("\x03");
  assert.equal(await part.fact("signal"), "SIGINT");
  part.tell("hosts", "127.76.0.1", "cart.shop");
  assert.equal(await part.fact("done"), null);
  assert.ok(isAlive(pid));
  part.tell("end");
  await part.fact("end");
  await part.end;
  assert.equal(readFileSync(world.hosts, "utf8"), original);
});

test("a closed terminal ends the user's part, and the helper tidies up after it", { skip }, async () => {
  await using world = start({ onTerminal: true });
  const { pid } = Object(await world.part.fact("helper"));
  await makeAll(world);
  // `script`, whose end of the terminal closes with it.
  process.kill(world.part.pid, "SIGKILL");
  await until(() => !isAlive(pid));
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(isLink(world.link), false);
});

test("launchHelperThroughSudo() detached: sudo ends, the helper serves from a session of its own and tidies up in the end", {
  skip,
}, async () => {
  for (const end of ["asked", "killed"]) {
    await using world = start({ onTerminal: true, env: { TEST_DETACH: "1" } });
    const { part } = world;
    const { pid } = Object(await part.fact("helper"));
    const { session, parent } = ancestry(pid);
    assert.deepEqual([session, parent], [pid, 1]);
    part.tell("listen", "127.76.0.1", 80);
    assert.equal(await part.fact("done"), null);
    await makeAll(world);
    part.type("\x03");
    assert.equal(await part.fact("signal"), "SIGINT");
    assert.ok(isAlive(pid));
    if (end === "asked") {
      part.tell("end");
      await part.fact("end");
      await part.end;
    } else process.kill(part.pid, "SIGKILL");
    await until(() => !isAlive(pid));
    assert.equal(readFileSync(world.hosts, "utf8"), original);
    assert.equal(isLink(world.link), false);
  }
});

/** What sudo lets the user do, for a while. */
function sudoRule(rule: string): Disposable {
  const path = `/etc/sudoers.d/${user.name}`;
  const before = readFileSync(path, "utf8");
  const write = (text: string) => {
    rmSync(path);
    writeFileSync(path, text, { mode: 0o440 });
  };
  // No password is remembered from one test to the next.
  write(
    before.replace(/^(\S+ ALL=\(root\)) .*$/m, `Defaults:${user.name} timestamp_timeout=0, passwd_tries=3\n$1 ${rule}`),
  );
  return { [Symbol.dispose]: () => write(before) };
}

interface World extends AsyncDisposable {
  readonly part: RemoteProcess;
  readonly hosts: string;
  readonly link: string;
}

function start(options: { env?: NodeJS.ProcessEnv; onTerminal?: boolean } = {}): World {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  const hosts = join(folder.path, "hosts");
  const link = join(folder.path, "public.sock");
  writeFileSync(hosts, original);
  const command = [install.node, install.bin, "--hosts-file", hosts, "--socket", link];
  command.push("--root-state-dir", join(folder.path, "state"), "--ip-cidr", "127.76.0.0/16");
  const { PATH } = process.env;
  // As a log-in would: the user's groups too, and on a terminal a session with that terminal.
  const asUser = ["--reuid", user.name, "--regid", String(user.gid), "--init-groups", "--"];
  const args = options.onTerminal
    ? ["setpriv", ...asUser, "script", "-qec", `stty -echo; ${command.join(" ")}`, "/dev/null"]
    : ["setpriv", ...asUser, ...command];
  const part = startRemote("/usr/bin/env", args, {
    env: { PATH, HOME: user.home, USER: user.name, ...options.env },
  });
  return {
    part,
    hosts,
    link,
    async [Symbol.asyncDispose]() {
      await part[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

async function makeAll({ part, hosts, link }: World): Promise<void> {
  part.tell("hosts", "127.76.0.1", "cart.shop");
  assert.equal(await part.fact("done"), null);
  part.tell("runtime-dir");
  const runtime = Object(await part.fact("done"));
  assert.deepEqual(runtime, { path: `/run/localizer-${user.uid}`, uid: user.uid, mode: 0o700 });
  part.tell("link", join(runtime.path, "s.sock"));
  assert.equal(await part.fact("done"), null);
  assert.match(readFileSync(hosts, "utf8"), /cart\.shop/);
  assert.ok(isLink(link));
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Of proc_pid_stat(5): the parent is field 4, the session field 6; the command's name before them may hold anything. */
function ancestry(pid: number): { parent: number; session: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [, parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(parent), session: Number(session) };
}

/** Looks again with every turn of the loop, for at most 20 s. */
async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`It never came true: ${isSo}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
