/** The SSH client against a real sshd, configured and confined as in the pod. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type Duplex, Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import ssh2 from "ssh2";
import { systemClock as clock } from "../../src/clock.ts";
import { openLocalSide } from "../../src/expose/local-side.ts";
import { port } from "../../src/model/port.ts";
import { localDialer } from "../../src/net/dial-local.ts";
import { makeKeyPair } from "../../src/ssh/key-pair.ts";
import { connectSsh } from "../../src/ssh/ssh-client.ts";
import type { SshIdentity } from "../../src/ssh/ssh-connection.ts";
import { bulk, channelTaker, digestOf, textOf } from "../support/channel-taker.ts";
import { duplexPair } from "../support/duplex-pair.ts";
import { missingForOpenSsh, type OpenSshServer, startOpenSsh } from "../support/openssh.ts";

const dial = localDialer({ clock });
const { signal } = new AbortController();
const sshPort = 2222;
const [web, other] = [port(80), port(8080)];
const length = 64 * 1024 * 1024;

const missing = missingForOpenSsh();
if (missing !== undefined && process.env.CI === "true") throw new Error(`${missing}, and in CI everything must run`);

describe("connectSsh() with OpenSSH's sshd", { skip: missing ?? false }, () => {
  let server: OpenSshServer;
  before(async () => {
    server = await startOpenSsh({ allowed: [web, other] });
  });
  after(() => server[Symbol.asyncDispose]());

  const connect = async (change: Partial<SshIdentity> = {}) =>
    await connectSsh(await server.dial(sshPort), { ...server.identity, ...change }, signal);

  /** A connection with a forward of port 80, and one call to it. */
  async function call() {
    const ssh = await connect();
    const { take, next } = channelTaker();
    await ssh.forward(web, take, signal);
    const [caller, channel] = await Promise.all([server.dial(web), next()]);
    return { ssh, caller, channel };
  }

  /** Tries until an earlier connection's ports are free. */
  async function forwardAgain(
    ssh: Awaited<ReturnType<typeof connect>>,
    take: (channel: Duplex) => void,
  ): Promise<void> {
    for (let started = performance.now(); ; ) {
      try {
        await ssh.forward(web, take, signal);
        return;
      } catch (error) {
        if (performance.now() - started > 20_000) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  it("logs in by key, listens on a low port and brings a question and its answer", async () => {
    const { ssh, caller, channel } = await call();
    await using _ssh = ssh;
    caller.end("question");
    assert.equal(await textOf(channel), "question");
    channel.end("answer");
    assert.equal(await textOf(caller), "answer");
    if (!channel.closed) await once(channel, "close");
  });

  it("turns away from a server with another host key", async () => {
    await assert.rejects(connect({ hostKey: makeKeyPair().publicKey }), { code: "denied", message: /host key/ });
  });

  it("is not let in with another key, or as another user", async () => {
    await assert.rejects(connect({ clientKey: makeKeyPair() }), { code: "denied" });
    await assert.rejects(connect({ user: "root" }), { code: "denied" });
  });

  it("listens on no other port than those that are allowed, several at once", async () => {
    await using ssh = await connect();
    await assert.rejects(
      ssh.forward(port(9999), () => {}, signal),
      { code: "conflict" },
    );
    await Promise.all([web, other].map((at) => ssh.forward(at, () => {}, signal)));
  });

  it("passes the half-close of the local process on", async () => {
    const { ssh, caller, channel } = await call();
    await using _ssh = ssh;
    channel.end("first");
    assert.equal(await textOf(caller), "first");
    caller.end("second");
    assert.equal(await textOf(channel), "second");
  });

  it("brings 64 MiB each way at the same time, though both sides end as soon as they have written", async () => {
    const { ssh, caller, channel } = await call();
    await using _ssh = ssh;
    const wanted = digestOf(Readable.from(bulk(length)));
    const digests = [digestOf(caller), digestOf(channel)];
    Readable.from(bulk(length)).pipe(channel);
    Readable.from(bulk(length)).pipe(caller);
    for (const digest of digests) assert.equal(await digest, await wanted);
  });

  it("closes the caller's connection when the channel is destroyed, and the channel when the caller is gone", async () => {
    const { ssh, caller, channel } = await call();
    await using _ssh = ssh;
    channel.destroy();
    await once(caller.resume(), "end");
    caller.destroy();
  });

  it("has 200 connections at the same time", async () => {
    await using ssh = await connect();
    await ssh.forward(web, (channel) => void channel.on("error", () => {}).pipe(channel), signal);
    const callers = await Promise.all(Array.from({ length: 200 }, () => server.dial(web)));
    const answers = callers.map((caller, index) => {
      caller.write(`number ${index}`);
      return once(caller, "data");
    });
    for (const [index, answer] of answers.entries()) assert.equal(String((await answer)[0]), `number ${index}`);
    for (const caller of callers) caller.end();
    await Promise.all(callers.map((caller) => once(caller.resume(), "end")));
  });

  it("frees its ports at once when it is closed, and another listens there", async () => {
    for (let round = 0; round < 3; round++) {
      const { ssh, caller } = await call();
      await ssh[Symbol.asyncDispose]();
      await once(caller.resume(), "end");
      await using next = await connect();
      await forwardAgain(next, () => {});
    }
  });

  it("gets its ports back from a session that froze, after at most 20 s", async () => {
    const { near, far } = duplexPair();
    const socket = await server.dial(sshPort);
    far.pipe(socket).pipe(far);
    const frozen = await connectSsh(near, server.identity, signal);
    await frozen.forward(web, () => {}, signal);
    far.unpipe();
    socket.unpipe();
    await using ssh = await connect();
    await assert.rejects(
      ssh.forward(web, () => {}, signal),
      { code: "conflict" },
    );
    const { take, next } = channelTaker();
    await forwardAgain(ssh, take);
    const caller = await server.dial(web);
    (await next()).end("back");
    assert.equal(await textOf(caller), "back");
    caller.destroy();
    await frozen[Symbol.asyncDispose]();
    socket.destroy();
  });

  it("notices that sshd's session ends", async () => {
    const { near, far } = duplexPair();
    const socket = await server.dial(sshPort);
    far.pipe(socket).pipe(far);
    await using ssh = await connectSsh(near, server.identity, signal);
    socket.end();
    await once(ssh.closed, "abort");
    assert.equal(ssh.closed.reason.code, "unavailable");
  });

  it("leads callers to a local process, whose download arrives in full though it ends at once", async () => {
    const download = createServer({ allowHalfOpen: true }, (socket) =>
      Readable.from(bulk(length))
        .pipe(socket)
        .on("error", () => {}),
    );
    await once(download.listen(0, "127.0.0.1"), "listening");
    await using _download = download;
    const at = download.address();
    assert(at !== null && typeof at === "object");
    await using ssh = await connect();
    await using side = openLocalSide({ clock, dial }, { local: port(at.port), remote: web });
    await ssh.forward(web, side.take, signal);
    const wanted = await digestOf(Readable.from(bulk(length)));
    for (const callerEndsFirst of [false, true]) {
      const caller = await server.dial(web);
      if (callerEndsFirst) caller.end();
      assert.equal(await digestOf(caller), wanted);
      caller.destroy();
    }
    await until(() => side.counts.open === 0);
    assert.deepEqual(side.counts, { open: 0, total: 2, bytesIn: 0, bytesOut: 2 * length, refused: 0 });
    await download[Symbol.asyncDispose]();
    const refused = await server.dial(web);
    await once(refused.resume(), "end");
    refused.destroy();
    await until(() => side.counts.open === 0);
    assert.equal(side.counts.refused, 1);
    assert.equal(side.counts.lastError, `no local process on port ${at.port}`);
  });

  it("leaves nothing behind of callers that break off, and of a local process that does", async () => {
    const sockets = new Set<Socket>();
    const local = createServer((socket) => {
      sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
      socket.write(Buffer.alloc(4 * 1024 * 1024));
      socket.once("data", () => socket.resetAndDestroy());
    });
    await once(local.listen(0, "127.0.0.1"), "listening");
    await using _local = local;
    const at = local.address();
    assert(at !== null && typeof at === "object");
    await using ssh = await connect();
    await using side = openLocalSide({ clock, dial }, { local: port(at.port), remote: web });
    await ssh.forward(web, side.take, signal);
    const callers = await Promise.all(Array.from({ length: 30 }, () => server.dial(web)));
    await until(() => sockets.size === callers.length);
    for (const [index, caller] of callers.entries()) {
      if (index % 3 === 0) caller.destroy();
      else if (index % 3 === 1) caller.write("reset!");
      else caller.once("data", () => caller.destroy());
    }
    await until(() => sockets.size === 0 && side.counts.open === 0);
    assert.equal(ssh.closed.aborted, false);
    for (const caller of callers) caller.destroy();
  });

  it("could ask for nothing else: no shell, no command, no SFTP, no way into the cluster, no password", async () => {
    const { user, clientKey } = server.identity;
    const client = await plainClient(await server.dial(sshPort), { username: user, privateKey: clientKey.privateKey });
    await assert.rejects(new Promise((_, reject) => client.exec("id", reject)), /open failed/);
    await assert.rejects(new Promise((_, reject) => client.shell(reject)), /open failed/);
    await assert.rejects(new Promise((_, reject) => client.sftp(reject)), /open failed/);
    await assert.rejects(
      new Promise((_, reject) => client.forwardOut("", 0, "127.0.0.1", 2222, reject)),
      /open failed/,
    );
    client.end();
    const wrong = plainClient(await server.dial(sshPort), { username: user, password: "x" });
    await assert.rejects(wrong, /All configured authentication methods failed/);
    // Nothing that a client did was sshd's end.
    await using _ssh = await connect();
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function plainClient(sock: Socket, config: ssh2.ConnectConfig): Promise<ssh2.Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on("error", reject).on("ready", () => resolve(client));
    client.connect({ ...config, sock });
  });
}
