/**
 * A real sshd of OpenSSH, as it runs in the pod: an unprivileged user without capabilities, the same configuration, a network
 * namespace of its own in which low ports are free to all. Needs Linux, root, and an sshd: the machine's, or that of Debian's
 * package, which is unpacked and not installed.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sessionFolder, sshdConfig, sshUser } from "../../src/expose/sshd-config.ts";
import { port } from "../../src/model/port.ts";
import { type KeyPair, makeKeyPair } from "../../src/ssh/key-pair.ts";
import type { SshIdentity } from "../../src/ssh/ssh-connection.ts";
import { unpackPackages } from "../cluster/debian-packages.ts";
import { throwawayUser } from "./throwaway-user.ts";

/** A running sshd. */
export interface OpenSshServer extends AsyncDisposable {
  readonly identity: SshIdentity;
  /** Connects to a port of its namespace: 2222 is sshd's, others those that it forwards. Half-open allowed. */
  dial(port: number): Promise<Socket>;
  /** What sshd has said so far. */
  readonly log: string;
}

/** Why it cannot run here; undefined when it can. */
export function missingForOpenSsh(): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.geteuid?.() !== 0) return "it needs root";
  if (!existsSync("/usr/sbin/sshd") && !existsSync("/usr/bin/apt-get")) return "it needs sshd, or apt-get to get it";
  return undefined;
}

/** Starts one that lets the client listen on the ports, and nothing else. `more` are directives that come before those of the pod. */
export async function startOpenSsh(options: {
  allowed: readonly number[];
  more?: readonly string[];
}): Promise<OpenSshServer> {
  const folder = mkdtempSync(join(tmpdir(), "localizer-sshd-"));
  chmodSync(folder, 0o755);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const user = stack.use(throwawayUser(folder));
  const [hostKey, clientKey] = [makeKeyPair(), makeKeyPair()];
  const { sshd, environment } = await findSshd(folder);
  const config = writeConfig(folder, { owner: user, hostKey, clientKey, ...options });
  const socket = join(folder, "relay");
  const relay = spawn(
    "unshare",
    [
      ...["--net", "--pid", "--fork", "--kill-child", "--"],
      ...["sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
      ...[
        process.execPath,
        join(import.meta.dirname, "namespace-relay.ts"),
        socket,
        String(user.uid),
        String(user.gid),
      ],
      ...[sshd, "-D", "-e", "-f", config],
    ],
    { env: { ...process.env, ...environment }, stdio: ["pipe", "pipe", "pipe"] },
  );
  let log = "";
  relay.stderr.on("data", (chunk: Buffer) => {
    log += String(chunk);
  });
  const ended = once(relay, "exit");
  stack.defer(async () => {
    relay.stdin.end();
    await ended;
  });
  while (!log.includes("Server listening on 127.0.0.1")) {
    const news = await Promise.race([once(relay.stderr, "data"), ended.then(() => "ended")]);
    assert.notEqual(news, "ended", `sshd does not start: ${log}`);
  }
  if (!existsSync(socket)) await once(relay.stdout, "data");
  const resources = stack.move();
  return {
    identity: { user: user.name, clientKey, hostKey: hostKey.publicKey },
    async dial(port) {
      const connection = connect({ path: socket, allowHalfOpen: true });
      connection.on("error", () => {});
      await once(connection, "connect");
      connection.write(`${port}\n`);
      return connection;
    },
    get log() {
      return log;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** sshd wants to be started by its full path. */
async function findSshd(folder: string): Promise<{ sshd: string; environment: NodeJS.ProcessEnv }> {
  if (existsSync("/usr/sbin/sshd")) return { sshd: "/usr/sbin/sshd", environment: {} };
  const packages = join(folder, "packages");
  mkdirSync(packages);
  await unpackPackages(["openssh-server", "libwrap0"], packages, undefined);
  const [library = ""] = readdirSync(join(packages, "usr/lib")).filter((name) => name.endsWith("-linux-gnu"));
  return {
    sshd: join(packages, "usr/sbin/sshd"),
    environment: { LD_LIBRARY_PATH: join(packages, "usr/lib", library) },
  };
}

/** The configuration that the pod's sshd gets, for a folder and a user of this machine. */
function writeConfig(
  folder: string,
  options: {
    owner: { name: string; uid: number; gid: number };
    hostKey: KeyPair;
    clientKey: KeyPair;
    allowed: readonly number[];
    more?: readonly string[];
  },
): string {
  const { owner, hostKey, clientKey, allowed, more = [] } = options;
  const shipped = sshdConfig(allowed.map(port), port(2222))
    .replaceAll(sessionFolder, folder)
    .replace(`AllowUsers ${sshUser}`, `AllowUsers ${owner.name}`);
  const files = {
    hostkey: hostKey.privateKey,
    authorized_keys: `restrict,port-forwarding ${clientKey.publicKey}\n`,
    // Of two directives the first counts. What is shipped, but for the folder and the user; and with an sftp that must not be reached.
    sshd_config: [...more, shipped, "Subsystem sftp internal-sftp", ""].join("\n"),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  execFileSync("chown", [`${owner.uid}:${owner.gid}`, ...Object.keys(files).map((name) => join(folder, name))]);
  return join(folder, "sshd_config");
}
