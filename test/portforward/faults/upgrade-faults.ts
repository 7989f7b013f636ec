/** Suite: the upgrade is refused, hangs, or leads to something else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../../src/errors.ts";
import { turns } from "../../support/event-loop.ts";
import { httpAnswer, type UpgradeRequest } from "../../support/upgrade-server.ts";
import { type FaultCarrier, openFaultLab } from "./fault-lab.ts";

const page = "<html><head><title>No</title></head><body>Nothing to see</body></html>";
const status = (code: number, message: string, kind?: string) =>
  JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", message, code, details: { kind } });
const lacksVerb = 'pods "cart-0" is forbidden: User "joe" cannot create resource "pods/portforward" in API group ""';

/** Answers, with the code that the port shows and how often one connection of an application asks. */
const refusals: readonly (readonly [name: string, line: string, body: string, code: ErrorCode, asked: number])[] = [
  ["400 Status", "400 Bad Request", status(400, "Upgrade request required"), "unavailable", 3],
  ["400 page", "400 Bad Request", page, "unavailable", 3],
  ["401 Status", "401 Unauthorized", status(401, "Unauthorized"), "unauthenticated", 1],
  ["401 page", "401 Unauthorized", page, "unauthenticated", 1],
  ["403 of the verb", "403 Forbidden", status(403, lacksVerb, "pods"), "denied", 1],
  ["403 of the pod", "403 Forbidden", status(403, 'pods "cart-0" is forbidden: not now'), "denied", 1],
  ["403 page", "403 Forbidden", page, "denied", 1],
  ["404 of the pod", "404 Not Found", status(404, 'pods "cart-0" not found', "pods"), "gone", 1],
  [
    "404 of the path",
    "404 Not Found",
    status(404, "the server could not find the requested resource"),
    "unavailable",
    3,
  ],
  ["404 page", "404 Not Found", page, "unavailable", 3],
  ["405 Status", "405 Method Not Allowed", status(405, "the server does not allow this method"), "unavailable", 3],
  ["405 page", "405 Method Not Allowed", page, "unavailable", 3],
  ["426 Status", "426 Upgrade Required", status(426, "upgrade required"), "unavailable", 3],
  ["426 page", "426 Upgrade Required", page, "unavailable", 3],
  ["429 Status", "429 Too Many Requests", status(429, "too many requests"), "unavailable", 3],
  ["429 page", "429 Too Many Requests", page, "unavailable", 3],
  // What may be a hiccup is asked twice each time.
  ["500 of the node", "500 Internal Server Error", status(500, "error dialing backend: EOF"), "unavailable", 3],
  ["500 Status", "500 Internal Server Error", status(500, "something broke"), "unavailable", 6],
  ["500 page", "500 Internal Server Error", page, "unavailable", 6],
  ["502 Status", "502 Bad Gateway", status(502, "bad gateway"), "unavailable", 6],
  ["502 page", "502 Bad Gateway", page, "unavailable", 6],
  ["503 Status", "503 Service Unavailable", status(503, "apiserver not ready"), "unavailable", 6],
  ["503 page", "503 Service Unavailable", page, "unavailable", 6],
  ["504 Status", "504 Gateway Timeout", status(504, "timeout"), "unavailable", 6],
  ["504 page", "504 Gateway Timeout", page, "unavailable", 6],
];

/** Answers that never become a connection, with the code and how often they are asked for. */
const stuck: Readonly<Record<string, (right: string) => string>> = {
  "no answer at all": () => "",
  "half a status line": () => "HTTP/1.1 10",
  "half the headers": (right) => right.slice(0, right.length - 4),
};

/** Ways to break an upgrade off. */
const broken: Readonly<Record<string, (request: UpgradeRequest, right: string) => unknown>> = {
  "a RST instead of an answer": ({ socket }) => socket.resetAndDestroy(),
  "a FIN instead of an answer": ({ socket }) => socket.end(),
  "a RST within the answer": ({ socket }, right) => socket.write(right.slice(0, 40), () => socket.resetAndDestroy()),
  "a FIN within the answer": ({ socket }, right) => socket.end(right.slice(0, 40)),
  "an answer of another protocol": ({ socket }) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  "a RST within the body": ({ socket }) =>
    socket.write("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nerror", () => socket.resetAndDestroy()),
};

/** A 101 that is none. */
const wrong: Readonly<Record<string, (right: string) => string>> = {
  "switches to something else": (right) => right.replace(/^Upgrade: .*$/m, "Upgrade: h2c"),
  "switches to nothing": (right) => right.replace(/^Upgrade: .*\r\n/m, ""),
  "speaks something else": (right) =>
    right
      .replace(/^X-Stream-Protocol-Version: .*$/m, "X-Stream-Protocol-Version: v4.channel.k8s.io")
      .replace(/^Sec-WebSocket-Protocol: .*$/m, "Sec-WebSocket-Protocol: v4.channel.k8s.io"),
  "does not say what it speaks": (right) =>
    right.replace(/^(X-Stream-Protocol-Version|Sec-WebSocket-Protocol): .*\r\n/m, ""),
};

/** Registers the tests for one carrier. */
export function upgradeFaults(carrier: FaultCarrier): void {
  const { answerTo } = carrier;

  /** Answers every upgrade of one connection like this; then the upgrade works again, and so must the next connection. */
  async function refused(answer: (request: UpgradeRequest) => unknown): Promise<{ code?: ErrorCode; asked: number }> {
    await using lab = await openFaultLab(carrier);
    lab.setOnUpgrade((request) => {
      answer(request);
      return false;
    });
    const app = lab.call();
    app.socket.write("question");
    const startedMs = lab.clock.monotonic();
    await lab.ended(app);
    assert.deepEqual([app.text, app.ending], ["", "RST"]);
    assert.ok(lab.clock.monotonic() - startedMs <= 6_000, "it took too long");
    const { code } = lab;
    const asked = lab.requests.length;
    lab.setOnUpgrade(() => true);
    // A dial that hangs may still be waited for.
    assert.equal(await lab.next(), "same");
    return code === undefined ? { asked } : { code, asked };
  }

  for (const [name, line, body, code, asked] of refusals) {
    test(`an upgrade refused by ${name} is a RST with the code ${code}, and harms nobody after`, async () => {
      assert.deepEqual(await refused(({ socket }) => socket.write(httpAnswer(line, body))), { code, asked });
    });
  }

  for (const [name, partOf] of Object.entries(stuck)) {
    test(`an upgrade with ${name} is a RST after 5 s, and harms nobody after`, async () => {
      const { code } = await refused((request) => request.socket.write(partOf(answerTo(request))));
      assert.equal(code, "timeout");
    });
  }

  for (const [name, breakOff] of Object.entries(broken)) {
    test(`an upgrade with ${name} is a RST, and harms nobody after`, async () => {
      const { code } = await refused((request) => breakOff(request, answerTo(request)));
      assert.equal(code, "unavailable");
    });

    test(`an upgrade with ${name} only once is not noticed`, async () => {
      await using lab = await openFaultLab(carrier);
      lab.setOnUpgrade((request) => {
        if (lab.requests.length > 1) return true;
        breakOff(request, answerTo(request));
        return false;
      });
      assert.equal(await lab.next(), "same");
      assert.equal(lab.code, undefined);
    });
  }

  for (const [name, change] of Object.entries(wrong)) {
    test(`a 101 that ${name} is a RST, and harms nobody after`, async () => {
      const { code } = await refused((request) => request.socket.write(change(answerTo(request))));
      assert.equal(code, "unavailable");
    });
  }

  test("a 101 that comes byte by byte lets the connection pass", async () => {
    await using lab = await openFaultLab(carrier);
    const answer = async (request: UpgradeRequest) => {
      for (const letter of answerTo(request)) {
        request.socket.write(letter);
        await turns(1);
      }
      lab.passOn(request);
    };
    lab.setOnUpgrade((request) => {
      void answer(request);
      return false;
    });
    assert.equal(await lab.next(), "same");
  });
}
