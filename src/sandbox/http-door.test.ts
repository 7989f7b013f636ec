import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { type HttpVersion, openHttpDoor } from "./http-door.ts";

/** A door that answers with the path and the length of the body, and what it says to a raw request. */
async function setUp(version: HttpVersion = "http/1.1") {
  const door = await openHttpDoor({ versions: [version] }, ({ request, respond, end }) => {
    if (request.path === "/broken") throw new Error("broken");
    respond(200, { connection: "close" });
    end(`${request.path} ${request.body.length}`);
  });
  const ask = async (text: string) => {
    const socket = connect(Number(new URL(door.origin).port), "127.0.0.1");
    socket.end(text);
    return Buffer.concat(await Array.fromAsync(socket)).toString();
  };
  return { ...door, ask, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() };
}

const head = "Host: sandbox\r\nConnection: close\r\n";

test("openHttpDoor() answers 400 to a path that is none, and lives on", async () => {
  await using door = await setUp();
  assert.match(await door.ask(`GET // HTTP/1.1\r\n${head}\r\n`), /^HTTP\/1.1 400 /);
  assert.match(await door.ask(`GET /api HTTP/1.1\r\n${head}\r\n`), /^HTTP\/1.1 200 .*\/api 0/s);
});

test("openHttpDoor() answers 400 over HTTP/2 too", async () => {
  await using door = await setUp("h2");
  const session = connectHttp2(door.origin);
  const stream = session.request({ ":path": "//" });
  const status = await new Promise((resolve) => stream.once("response", (headers) => resolve(headers[":status"])));
  assert.equal(status, 400);
  session.destroy();
});

test("openHttpDoor() cuts off a request that it fails to answer, and lives on", async () => {
  await using door = await setUp();
  assert.equal(await door.ask(`GET /broken HTTP/1.1\r\n${head}\r\n`), "");
  assert.match(await door.ask(`GET /api HTTP/1.1\r\n${head}\r\n`), /^HTTP\/1.1 200 /);
});

test("openHttpDoor() takes bodies up to 3 MiB", async () => {
  await using door = await setUp();
  const limit = 3 * 1024 * 1024;
  const post = (size: number) =>
    door.ask(`POST /api HTTP/1.1\r\n${head}Content-Length: ${size}\r\n\r\n${"x".repeat(size)}`);
  assert.match(await post(limit), new RegExp(`^HTTP/1.1 200 .* ${limit}`, "s"));
  assert.match(await post(limit + 1), /^HTTP\/1.1 413 .*limit is 3145728/s);
  assert.match(await post(2 * limit), /^HTTP\/1.1 413 /);
});
