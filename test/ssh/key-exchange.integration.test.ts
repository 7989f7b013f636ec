/** A real sshd changes the keys of a connection after 64 GiB; this one does so every few MiB. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { port } from "../../src/model/port.ts";
import { connectSsh } from "../../src/ssh/ssh-client.ts";
import { bulk, digestOf } from "../support/channel-taker.ts";
import { missingForOpenSsh, startOpenSsh } from "../support/openssh.ts";

const { signal } = new AbortController();
const web = port(80);
const length = 32 * 1024 * 1024;

const missing = missingForOpenSsh();
if (missing !== undefined && process.env.CI === "true") throw new Error(`${missing}, and in CI everything must run`);

test("connectSsh() goes on while sshd changes keys under traffic both ways", { skip: missing ?? false }, async () => {
  await using server = await startOpenSsh({ allowed: [web], more: ["RekeyLimit 4M", "LogLevel DEBUG1"] });
  await using ssh = await connectSsh(await server.dial(2222), server.identity, signal);
  await ssh.forward(web, (channel) => void channel.on("error", () => {}).pipe(channel), signal);
  const wanted = digestOf(Readable.from(bulk(length)));
  const callers = await Promise.all([server.dial(web), server.dial(web)]);
  for (const caller of callers) Readable.from(bulk(length)).pipe(caller);
  for (const digest of callers.map(digestOf)) assert.equal(await digest, await wanted);
  const exchanges = server.log.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
  assert(exchanges > 8, `${exchanges} key exchanges`);
});
