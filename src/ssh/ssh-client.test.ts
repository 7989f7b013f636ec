import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { channelTaker, textOf } from "../../test/support/channel-taker.ts";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startSshServer } from "../../test/support/ssh-server.ts";
import { LocalizerError } from "../errors.ts";
import { port } from "../model/port.ts";
import { makeKeyPair } from "./key-pair.ts";
import { connectSsh } from "./ssh-client.ts";

const { signal } = new AbortController();
const web = port(8080);

test("connectSsh() logs in, has the server listen, and hands over what comes", async () => {
  await using server = startSshServer();
  await using ssh = await connectSsh(server.transport, server.identity, signal);
  const { take, next } = channelTaker();
  await ssh.forward(web, take, signal);
  assert.deepEqual([...server.listening], [8080]);
  const caller = await server.connect(web);
  const channel = await next();
  caller.write("question");
  assert.equal(String((await once(channel, "data"))[0]), "question");
  channel.end("answer");
  assert.equal(await textOf(caller), "answer");
  assert.equal(ssh.closed.aborted, false);
});

for (const cipher of ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"] as const) {
  test(`connectSsh() gets along with a server that has only ${cipher}`, async () => {
    await using server = startSshServer({ ciphers: [cipher] });
    await using ssh = await connectSsh(server.transport, server.identity, signal);
    await ssh.forward(web, () => {}, signal);
  });
}

test("connectSsh() speaks to no server that has only old ciphers", async () => {
  await using server = startSshServer({ ciphers: ["aes128-cbc"] });
  await assert.rejects(connectSsh(server.transport, server.identity, signal), { code: "unavailable" });
  assert(server.transport.destroyed);
});

test("connectSsh() trusts no other host key than the one it was given", async () => {
  await using server = startSshServer();
  const identity = { ...server.identity, hostKey: makeKeyPair().publicKey };
  await assert.rejects(connectSsh(server.transport, identity, signal), {
    code: "denied",
    message: /^Cannot open SSH connection: The SSH server has the host key "SHA256:.{43}" instead of "SHA256:.{43}"$/,
  });
  assert(server.transport.destroyed);
});

test("connectSsh() says that the server does not take the key", async () => {
  await using server = startSshServer();
  const identity = { ...server.identity, clientKey: makeKeyPair() };
  await assert.rejects(connectSsh(server.transport, identity, signal), { code: "denied", message: /take the key$/ });
  assert(server.transport.destroyed);
});

test("connectSsh() gives up on a server that says nothing", async () => {
  const clock = new FakeClock();
  const { near } = duplexPair();
  const { identity } = startSshServer();
  const connecting = connectSsh(near, identity, signal, { clock, handshakeMs: 3_000 });
  connecting.catch(() => {});
  await clock.advance(3_000);
  await assert.rejects(connecting, {
    code: "timeout",
    message: "Cannot open SSH connection: no answer within 3000 ms",
  });
  assert(near.destroyed);
  assert.equal(clock.pending, 0);
});

test("connectSsh() stops when its signal fires, and starts nothing when it has", async () => {
  const stop = new AbortController();
  const { identity } = startSshServer();
  const [one, other] = [duplexPair().near, duplexPair().near];
  const connecting = connectSsh(one, identity, stop.signal);
  stop.abort();
  await assert.rejects(connecting, { code: "aborted" });
  await assert.rejects(connectSsh(other, identity, stop.signal), { code: "aborted" });
  assert(one.destroyed && other.destroyed);
});

for (const [what, said] of [
  ["something else", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["nonsense behind the version", `SSH-2.0-x\r\n${"x".repeat(100)}`],
  ["a packet of 4 GiB", Buffer.concat([Buffer.from("SSH-2.0-x\r\n"), Buffer.alloc(64, 0xff)])],
] as const) {
  test(`connectSsh() fails when the other end says ${what}`, async () => {
    const { near, far } = duplexPair();
    const { identity } = startSshServer();
    far.on("error", () => {}).end(said);
    await assert.rejects(connectSsh(near, identity, signal), { code: "unavailable" });
    assert(near.destroyed);
  });
}

test("connectSsh() fails when the transport is closed already", async () => {
  const { near } = duplexPair();
  const { identity } = startSshServer();
  near.destroy();
  await assert.rejects(connectSsh(near, identity, signal), {
    code: "unavailable",
    message: "Cannot open SSH connection: the server or something on the way closed it",
  });
});

test("connectSsh() fails with the transport, whatever became of that", async () => {
  const { near } = duplexPair();
  const { identity } = startSshServer();
  const connecting = connectSsh(near, identity, signal);
  near.destroy(new LocalizerError("aborted", "Pod is gone"));
  await assert.rejects(connecting, { code: "unavailable", message: "Cannot open SSH connection: Pod is gone" });
});

test("forward() says when the server does not listen there, and the connection goes on", async () => {
  await using server = startSshServer({ denied: [9999] });
  await using ssh = await connectSsh(server.transport, server.identity, signal);
  await assert.rejects(
    ssh.forward(port(9999), () => {}, signal),
    { code: "conflict", message: /port 9999/ },
  );
  await ssh.forward(web, () => {}, signal);
  await assert.rejects(
    ssh.forward(web, () => {}, signal),
    { code: "conflict" },
  );
});

test("forward() leads each port to its own taker", async () => {
  await using server = startSshServer();
  await using ssh = await connectSsh(server.transport, server.identity, signal);
  const ports = [80, 443, 8080].map((number) => ({ at: port(number), ...channelTaker() }));
  await Promise.all(ports.map(({ at, take }) => ssh.forward(at, take, signal)));
  for (const { at, next } of ports.toReversed()) {
    const caller = await server.connect(at);
    (await next()).end(`this is ${at}`);
    assert.equal(await textOf(caller), `this is ${at}`);
  }
});

test("forward() stops when its signal fires, and what the server opens later is given back", async () => {
  await using server = startSshServer();
  await using ssh = await connectSsh(server.transport, server.identity, signal);
  const stop = new AbortController();
  const forwarding = ssh.forward(web, () => assert.fail("was taken"), stop.signal);
  stop.abort();
  await assert.rejects(forwarding, { code: "aborted" });
  await ssh.forward(port(80), () => {}, signal);
  assert.deepEqual([...server.listening], [80]);
});

test("forward() fails when the connection is lost before the answer, and afterwards", async () => {
  await using server = startSshServer({ isDeaf: true });
  await using ssh = await connectSsh(server.transport, server.identity, signal);
  const forwarding = ssh.forward(web, () => {}, signal);
  server.cut();
  await assert.rejects(forwarding, { code: "unavailable" });
  await assert.rejects(
    ssh.forward(web, () => {}, signal),
    { code: "unavailable" },
  );
});

test("closed fires when the server ends, and every channel is destroyed with the reason", async () => {
  for (const how of ["end", "cut"] as const) {
    await using server = startSshServer();
    await using ssh = await connectSsh(server.transport, server.identity, signal);
    const { take, next } = channelTaker();
    await ssh.forward(web, take, signal);
    await server.connect(web);
    const channel = await next();
    const failed = once(channel, "error");
    server[how]();
    assert.equal((await failed)[0].code, "unavailable");
    assert.equal(ssh.closed.reason.code, "unavailable");
    assert.match(ssh.closed.reason.message, /^Lost the SSH connection: /);
    assert(channel.destroyed && server.transport.destroyed);
  }
});

test("closed fires when nothing is heard any more, though there is much to send", async () => {
  await using server = startSshServer();
  await using ssh = await connectSsh(server.transport, server.identity, signal, { keepaliveMs: 20, silenceMs: 100 });
  const { take, next } = channelTaker();
  await ssh.forward(web, take, signal);
  const caller = await server.connect(web);
  caller.resume();
  const channel = await next();
  const failed = once(channel, "error");
  server.freeze();
  channel.write(Buffer.alloc(8 * 1024 * 1024));
  await failed;
  assert.match(ssh.closed.reason.message, /nothing came from the server for 100 ms$/);
  assert.equal(ssh.closed.reason.code, "unavailable");
});

// ssh2 has no clock that could be moved.
test("a connection that is only quiet is asked for a sign of life and stays", async () => {
  await using server = startSshServer();
  await using ssh = await connectSsh(server.transport, server.identity, signal, { keepaliveMs: 20, silenceMs: 200 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(ssh.closed.aborted, false);
});

test("disposing closes the channels and the transport, may be repeated, and ends on a line that is frozen", async () => {
  for (const isFrozen of [false, true]) {
    await using server = startSshServer();
    const ssh = await connectSsh(server.transport, server.identity, signal);
    const { take, next } = channelTaker();
    await ssh.forward(web, take, signal);
    const caller = await server.connect(web);
    caller.resume();
    const channel = await next();
    if (isFrozen) server.freeze();
    channel.write(Buffer.alloc(isFrozen ? 4 * 1024 * 1024 : 1));
    await Promise.all([ssh[Symbol.asyncDispose](), ssh[Symbol.asyncDispose]()]);
    await ssh[Symbol.asyncDispose]();
    assert(channel.destroyed && server.transport.destroyed);
    assert.equal(ssh.closed.reason.code, "aborted");
  }
});

test("nothing is left of connections that were closed, lost, or never came about", async () => {
  const left = () => process.getActiveResourcesInfo().filter((kind) => kind !== "Immediate").length;
  const before = left();
  for (const how of ["dispose", "cut", "end", "wrong key", "aborted"] as const) {
    const server = startSshServer();
    const stop = new AbortController();
    const identity = how === "wrong key" ? { ...server.identity, clientKey: makeKeyPair() } : server.identity;
    const connecting = connectSsh(server.transport, identity, stop.signal);
    if (how === "aborted") stop.abort();
    if (how === "aborted" || how === "wrong key") await assert.rejects(connecting);
    else {
      const ssh = await connecting;
      const { take, next } = channelTaker();
      await ssh.forward(web, take, signal);
      await server.connect(web);
      const channel = await next();
      channel.write(Buffer.alloc(4 * 1024 * 1024));
      const gone = once(channel, "close").catch(() => {});
      if (how === "dispose") await ssh[Symbol.asyncDispose]();
      else server[how]();
      await gone;
    }
    assert(server.transport.destroyed);
    await server[Symbol.asyncDispose]();
  }
  assert.equal(left(), before);
});
