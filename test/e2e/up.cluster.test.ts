/** `localizer up`, `down` and `cleanup` with the installed package on the real cluster: what outlives the terminal, and what not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { hostsInstance } from "../../src/helper/config.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { type ThrowawayUser, throwawayUser } from "../support/throwaway-user.ts";
import { leftovers, openTerminal, processesWith } from "./background-run.ts";
import { curlByName, runProgram } from "./by-name.ts";
import { type Installed, installPackage } from "./installed.ts";
import { type LocalizerPlace, localizerPlace } from "./localizer-run.ts";
import { silentServer } from "./silent-server.ts";
import { usersKubeconfig } from "./users-kubeconfig.ts";

const namespace = "e2e-up";
const url = `http://app.${namespace}.svc.cluster.local/`;
const original = "127.0.0.1 localhost\nno final newline";

describe("localizer up", () => {
  let cluster: Cluster;
  let installed: Installed;
  let user: ThrowawayUser;
  let kubeconfig: string;

  before(async () => {
    cluster = await startCluster();
    installed = installPackage();
    user = throwawayUser(installed.folder, {
      sudoers: ["Defaults:USER env_reset, use_pty, !lecture", "USER ALL=(root) NOPASSWD: ALL"],
    });
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(testApp({ name: "app", namespace, ports: [{ name: "http", port: 80, targetPort: "http" }] }));
    await cluster.waitForReadyPods(namespace, "app=app", 1);
    await cluster.waitForEndpoints(namespace, "app", 1);
    kubeconfig = await usersKubeconfig(cluster, user);
  });

  after(async () => {
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    user?.[Symbol.dispose]();
    installed?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const asUser = (...words: readonly string[]) => [
    ...["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "env", "-i"],
    ...[`HOME=${user.home}`, `USER=${user.name}`, `PATH=${installed.path}`, "SHELL=/bin/sh", "TERM=dumb"],
    ...words,
  ];
  const filesOf = (place: LocalizerPlace, config: string) => [
    `--kubeconfig=${config}`,
    ...[`--hosts-file=${place.hostsFile}`, `--socket=${place.socket}`, `--state-dir=${place.stateDir}`],
    ...[`--root-state-dir=${place.rootStateDir}`, "--ip-cidr=127.89.0.0/16", `--namespace=${namespace}`],
  ];

  for (const [form, words] of [
    ["by a user, who asks sudo for the helper", () => [installed.localizer]],
    ["as sudo localizer up", () => ["sudo", installed.node, installed.localizer]],
  ] as const) {
    test(`${form}: daemon and helper outlive Ctrl-C and the terminal, and down ends both`, async () => {
      using place = localizerPlace(original);
      using _left = leftovers(wordOf(place));
      const flags = filesOf(place, kubeconfig);
      await using terminal = openTerminal(asUser(), [...words(), "up", ...flags]);
      await terminal.shows(/^ended with \d+/m);
      assert.match(terminal.output(), /Reached the cluster[\s\S]*\n1 services of .*\r\nended with 0/);
      const running = processesOf(place);
      assert.equal(running.length, 2, `daemon and helper, and no sudo: ${running.join("\n")}`);
      terminal.type("\x03");
      await terminal.close();
      assert.match(await curlByName(place.hostsFile, url), /^hello from app/);
      assert.deepEqual(processesOf(place), running);
      const log = logOf(place);
      assert.deepEqual([statSync(log).uid, statSync(log).mode & 0o777], [user.uid, 0o600]);
      assert.match(readFileSync(log, "utf8"), /^1 services of /m);

      const [setpriv = "", ...client] = asUser(installed.localizer, "--socket", place.socket);
      const second = await runProgram(setpriv, [...client, "up", `--kubeconfig=${kubeconfig}`, ...flags]);
      assert.equal(second.code, 7, second.stderr);
      assert.match(
        readFileSync(log, "utf8"),
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO .*[\s\S]*^1 services of /m,
        "still there",
      );
      assert.match(second.stderr, /answers on ".*" already.*localizer down/);
      // Another socket and another state folder, but the same cluster and the same user.
      const elsewhere = [...flags, `--socket=${place.socket}2`, `--state-dir=${place.stateDir}2`];
      const third = await runProgram(setpriv, [...asUser(installed.localizer).slice(1), "up", ...elsewhere]);
      assert.equal(third.code, 7, third.stderr);
      assert.match(third.stderr, /another localizer of yours does, .*"localizer down --socket \/run\/.*" stops it/);
      const down = await runProgram(setpriv, [...client, "down"]);
      assert.equal(down.code, 0, down.stderr);
      await gone(place);
      assert.equal(readFileSync(place.hostsFile, "utf8"), original);
    });
  }

  test("as plain root, without a terminal: it starts, says that it is root, and down ends it", async () => {
    using place = localizerPlace(original);
    using _left = leftovers(wordOf(place));
    const { SUDO_UID: _, ...callers } = process.env;
    const env = { ...callers, ...place.env };
    const up = await runProgram(installed.node, [installed.localizer, "up", ...filesOf(place, cluster.kubeconfig)], {
      env,
    });
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stderr, /Working as root/);
    assert.match(up.stdout, /^1 services of .*\n$/);
    assert.match(await curlByName(place.hostsFile, url), /^hello from app/);
    const down = await runProgram(installed.node, [installed.localizer, "down", "--socket", place.socket], { env });
    assert.equal(down.code, 0, down.stderr);
    await gone(place);
    assert.equal(readFileSync(place.hostsFile, "utf8"), original);
  });

  for (const [form, words] of [
    ["by a user", () => [installed.localizer]],
    ["as sudo localizer up", () => ["sudo", installed.node, installed.localizer]],
  ] as const) {
    test(`${form}: Ctrl-C during the start stops everything in order, and a start that takes too long stays`, async () => {
      await using silent = await silentServer(user.home, user);
      using place = localizerPlace(original);
      using _left = leftovers(wordOf(place));
      const flags = filesOf(place, silent.kubeconfig);
      await using terminal = openTerminal(asUser(), [...words(), "up", ...flags]);
      await silent.asked();
      terminal.type("\x03");
      await terminal.shows(/^ended with \d+/m);
      assert.match(terminal.output(), /ended with 130/);
      await terminal.close();
      await gone(place);
      assert.equal(readFileSync(place.hostsFile, "utf8"), original);

      await using patient = openTerminal(asUser(), [...words(), "up", "--timeout=2s", ...flags]);
      await patient.shows(/^ended with \d+/m);
      assert.match(
        patient.output(),
        /not ready after 2 s; it goes on starting, and its log is ".*localizer-[0-9a-f]+\.log\.starting-\d+"/,
      );
      assert.match(patient.output(), /ended with 6/);
      await patient.close();
      const [first] = processesOf(place);
      assert.ok(first !== undefined, "the daemon stays");
      process.kill(Number.parseInt(first, 10), "SIGTERM");
      await gone(place);
    });
  }

  test("by a user: sudo asks for the password on the terminal, and Ctrl-C there stops everything", async () => {
    using place = localizerPlace(original);
    using _left = leftovers(wordOf(place));
    using _rule = passwordRule(user);
    const flags = filesOf(place, kubeconfig);
    await using terminal = openTerminal(asUser(), [installed.localizer, "up", ...flags]);
    await terminal.shows(/password for/);
    terminal.type("secret\n");
    await terminal.shows(/^ended with \d+/m);
    assert.match(terminal.output(), /ended with 0/);
    await terminal.close();
    const [setpriv = "", ...client] = asUser(installed.localizer, "--socket", place.socket, "down");
    assert.equal((await runProgram(setpriv, client)).code, 0);
    await gone(place);

    await using other = openTerminal(asUser(), [installed.localizer, "up", ...flags]);
    await other.shows(/password for/);
    other.type("\x03");
    await other.shows(/^ended with \d+/m);
    assert.match(other.output(), /ended with 130/);
    await gone(place);
    assert.equal(readFileSync(place.hostsFile, "utf8"), original);
  });

  test("a daemon that ends before it is ready gives its exit code and its words", async () => {
    using place = localizerPlace(original);
    using _left = leftovers(wordOf(place));
    const [setpriv = "", ...rest] = asUser(installed.localizer, "up", ...filesOf(place, "/nonexistent/config"));
    const foreground = await runProgram(
      setpriv,
      rest.filter((word) => word !== "up"),
    );
    const up = await runProgram(setpriv, rest);
    assert.ok(up.code !== 0);
    assert.equal(up.code, foreground.code);
    assert.ok(up.stderr.startsWith(foreground.stderr), up.stderr);
    assert.match(up.stderr, /ended before it was ready; the lines above are its log\n/);
    assert.deepEqual(readdirSync(place.stateDir), [], "a start that was refused leaves no log");
    await gone(place);
  });

  test("without sudo it goes on: no names, low ports moved up, said at the start and in the summary", async () => {
    using place = localizerPlace(original);
    using _left = leftovers(wordOf(place));
    // The link could only be made by root; without one the socket lies where the flag says.
    const words = asUser("PATH=/nonexistent", installed.node, installed.localizer);
    const files = filesOf(place, kubeconfig).map((flag) => flag.replace(place.socket, usersSocket(place)));
    const [setpriv = "", ...rest] = [...words, "up", ...files];
    const up = await runProgram(setpriv, rest);
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stderr, /WARN +Going on without root: .*sudo cannot be started/);
    assert.equal(readFileSync(place.hostsFile, "utf8"), original);
    const listed = await runProgram(setpriv, [...words.slice(1), "list", `--socket=${usersSocket(place)}`]);
    const address = /127\.89\.\d+\.\d+/.exec(listed.stdout)?.[0];
    const answer = await runProgram("curl", ["-sS", "--noproxy", "*", `http://${address}:8080/`]);
    assert.match(answer.stdout, /^hello from app/, `${listed.stdout}${answer.stderr}`);
    const down = await runProgram(setpriv, [...words.slice(1), "down", `--socket=${usersSocket(place)}`]);
    assert.equal(down.code, 0, down.stderr);
    await gone(place);
  });

  test("cleanup removes what a killed daemon and its helper have left, and nothing of one that lives", async () => {
    using place = localizerPlace(original);
    using _left = leftovers(wordOf(place));
    const [setpriv = "", ...words] = asUser(installed.localizer);
    const flags = filesOf(place, kubeconfig);
    assert.equal((await runProgram(setpriv, [...words, "up", ...flags])).code, 0);
    const before = readFileSync(place.hostsFile, "utf8");
    const idle = await runProgram(setpriv, [...words, "cleanup", ...flags]);
    assert.deepEqual([idle.code, idle.stdout], [0, "Nothing was left behind\n"], idle.stderr);
    assert.equal(readFileSync(place.hostsFile, "utf8"), before);
    assert.match(await curlByName(place.hostsFile, url), /^hello from app/);
    const pids = processesOf(place).map((line) => Number.parseInt(line, 10));
    // Both before either can tidy up.
    for (const signal of ["SIGSTOP", "SIGKILL"] as const) for (const pid of pids) process.kill(pid, signal);
    await gone(place);
    assert.equal(readFileSync(place.hostsFile, "utf8"), before);
    const cleaned = await runProgram(setpriv, [...words, "cleanup", ...flags]);
    assert.equal(cleaned.code, 0, cleaned.stderr);
    assert.match(cleaned.stdout, /^Removed the block of process \d+ in ".*hosts"$/m);
    assert.match(cleaned.stdout, /^Removed the link ".*localizer\.sock"$/m);
    assert.match(cleaned.stdout, /^Removed the runtime folder "\/run\/localizer-\d+"$/m);
    assert.equal(readFileSync(place.hostsFile, "utf8"), original);
    const asRoot = ["sudo", installed.node, installed.localizer, "cleanup", ...flags];
    const again = await runProgram(setpriv, [...asUser().slice(1), ...asRoot]);
    assert.deepEqual([again.code, again.stdout], [0, "Nothing was left behind\n"], again.stderr);
  });

  /** Nothing of that place runs any more. */
  async function gone(place: LocalizerPlace): Promise<void> {
    await waitFor("all processes to end", () => processesOf(place).length === 0, {
      timeoutMs: 15_000,
      intervalMs: 20,
    }).catch(() => assert.fail(`left: ${processesOf(place).join("\n")}`));
  }
});

/** Sudo wants the user's password, "secret", each time, until it is disposed. */
function passwordRule({ name }: ThrowawayUser): Disposable {
  const path = `/etc/sudoers.d/${name}`;
  const before = readFileSync(path, "utf8");
  const write = (text: string) => {
    rmSync(path);
    writeFileSync(path, text, { mode: 0o440 });
  };
  write(`Defaults:${name} env_reset, use_pty, !lecture, timestamp_timeout=0\n${name} ALL=(root) ALL\n`);
  execFileSync("chpasswd", { input: `${name}:secret` });
  return { [Symbol.dispose]: () => write(before) };
}

/** Where a user without root may make a socket. */
function usersSocket(place: LocalizerPlace): string {
  return join(place.stateDir, "own.sock");
}

/** The log of the daemon with the place's socket. */
function logOf({ stateDir, socket }: LocalizerPlace): string {
  return join(stateDir, `localizer-${hostsInstance(socket)}.log`);
}

/** Stands in the command line of all processes that use the place. */
function wordOf({ hostsFile }: LocalizerPlace): string {
  return `--hosts-file=${hostsFile}`;
}

function processesOf(place: LocalizerPlace): readonly string[] {
  return processesWith(wordOf(place));
}
