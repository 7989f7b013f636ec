/** Faults that only a WebSocket can have, seen from the application. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../support/event-loop.ts";
import { closeFrame, serverFrame } from "../../support/websocket-peer.ts";
import { faultCarriers, openFaultLab } from "./fault-lab.ts";
import { answer, bringTo, finish, heardBy, moments } from "./moments.ts";

/** Closes, of which 1000 is no better for the streams: SPDY was not ended. */
const closes: Readonly<Record<string, Buffer>> = {
  ...Object.fromEntries([1000, 1001, 1002, 1008, 1011, 1012, 4000].map((code) => [code, closeFrame(code, "so")])),
  "no code": serverFrame(8, Buffer.alloc(0)),
};

/** What no server may send. */
const violations: Readonly<Record<string, Buffer>> = {
  "a masked frame": Buffer.from("8281000000001f", "hex"),
  "a text message": serverFrame(1, Buffer.from("hello")),
  "a frame of an unknown kind": serverFrame(3, Buffer.alloc(1)),
  "a control frame of an unknown kind": serverFrame(11, Buffer.alloc(0)),
  "a compressed frame": Buffer.from("c20100", "hex"),
  "the rest of no message": serverFrame(0, Buffer.from("x")),
  "a message within a message": Buffer.concat([
    serverFrame(2, Buffer.alloc(0), false),
    serverFrame(2, Buffer.alloc(0)),
  ]),
  "a ping in parts": serverFrame(9, Buffer.from("x"), false),
  "a ping of 126 bytes": serverFrame(9, Buffer.alloc(126)),
  "half a close code": serverFrame(8, Buffer.from([3])),
  "a frame of 2^63 bytes": Buffer.from("827f8000000000000000", "hex"),
};

for (const carrier of faultCarriers.filter(({ engine }) => engine === "websocket")) {
  for (const moment of moments) {
    for (const [code, frame] of Object.entries(closes)) {
      test(`a close with ${code} ${moment} is a RST, and the next connection is a new one (${carrier.name})`, async () => {
        await using lab = await openFaultLab(carrier);
        const { app, farEnd } = await bringTo(moment, lab);
        farEnd.request.socket.write(frame);
        const expected = { text: heardBy(moment), ending: "RST", code: "unavailable", next: "new" };
        assert.deepEqual(await lab.outcome(app), expected);
      });
    }

    test(`pings and pongs ${moment} cost nothing (${carrier.name})`, async () => {
      await using lab = await openFaultLab(carrier);
      const scene = await bringTo(moment, lab);
      const { socket } = scene.farEnd.request;
      const heard: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
      socket.write(Buffer.concat([serverFrame(9, Buffer.from("ping")), serverFrame(10, Buffer.alloc(125))]));
      await turns(20);
      // One pong, masked, with the payload of the ping.
      const [first = 0, second = 0, ...rest] = Buffer.concat(heard);
      const payload = rest.slice(4).map((byte, index) => byte ^ (rest[index] ?? 0));
      assert.deepEqual([first, second, String(Buffer.from(payload))], [0x8a, 0x84, "ping"]);
      finish(moment, scene);
      assert.deepEqual(await lab.outcome(scene.app), { text: answer, ending: "FIN", code: undefined, next: "same" });
    });
  }

  for (const [what, frame] of Object.entries(violations)) {
    test(`${what} is a RST, and the next connection is a new one (${carrier.name})`, async () => {
      await using lab = await openFaultLab(carrier);
      const { app, farEnd } = await bringTo("after data", lab);
      farEnd.request.socket.write(frame);
      assert.deepEqual(await lab.outcome(app), { text: answer, ending: "RST", code: "unavailable", next: "new" });
    });
  }

  test(`a close while nobody uses the connection is answered, and harms nobody (${carrier.name})`, async () => {
    await using lab = await openFaultLab(carrier);
    const scene = await bringTo("after data", lab);
    finish("after data", scene);
    await lab.ended(scene.app);
    scene.app.socket.destroy();
    await turns(50);
    const { socket } = scene.farEnd.request;
    const heard: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    socket.write(closeFrame(1001, "restart"));
    await lab.until(() => socket.readableEnded || socket.destroyed);
    const [first = 0, second = 0] = Buffer.concat(heard);
    assert.deepEqual([first, second], [0x88, 0x82]);
    assert.equal(await lab.next(), "new");
  });
}
