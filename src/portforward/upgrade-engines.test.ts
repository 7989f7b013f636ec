/** What holds for an upgrade by whatever engine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { httpAnswer, openUpgradeServer, switching, type UpgradeRequest } from "../../test/support/upgrade-server.ts";
import { webSocketAnswer } from "../../test/support/websocket-peer.ts";
import { LocalizerError } from "../errors.ts";
import type { Credential, Credentials } from "../kube/credentials.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { engineNames } from "../model/engine-name.ts";
import { wayOf } from "./engines.ts";
import { type Upgraded, upgradePod } from "./upgrade.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const { signal: never } = new AbortController();
const unknown = httpAnswer("401 Unauthorized", "{}");
const respond =
  (text: string) =>
  ({ socket }: UpgradeRequest) =>
    void socket.write(text);

/** Lets the upgrade pass. */
const pass = ({ head, socket }: UpgradeRequest) => void socket.write(answerTo(head));

function answerTo(head: string): string {
  return /^upgrade: *websocket/im.test(head) ? webSocketAnswer(head) : switching;
}

/** Credentials of which the first is refused; `better`: there is a second one. */
function expiring(better: boolean): Credentials & { readonly refused: unknown[] } {
  const refused: unknown[] = [];
  return {
    refused,
    current: async () => ({ headers: { authorization: `Bearer ${refused.length}` } }),
    rejected(credential) {
      refused.push(credential);
      return better;
    },
  };
}

for (const engine of engineNames) {
  const way = wayOf(engine, 8080);

  /** The upgraded connection, or else what was said against it, thrown. */
  async function upgraded(cluster: Cluster, target = pod, clock = new FakeClock()): Promise<Upgraded> {
    const outcome = await upgradePod({ cluster, clock, version: "1.2.3" }, target, way, never);
    if (outcome.sign !== undefined) throw outcome.error;
    return outcome;
  }

  test(`upgradePod() says who asks, by ${engine}`, async () => {
    await using server = await openUpgradeServer(pass);
    (await upgraded(server.cluster)).socket.destroy();
    assert.match((await server.first).head, /^user-agent: localizer\/1\.2\.3\r$/im);
  });

  test(`upgradePod() puts no name into the path that could lead elsewhere, by ${engine}`, async () => {
    await using server = await openUpgradeServer(pass);
    const name = "kubernetes:443/proxy/x?y=";
    (await upgraded(server.cluster, { ...pod, namespace: "a/b", name })).socket.destroy();
    const [line] = (await server.first).head.split("\r\n", 1);
    const path = "/api/v1/namespaces/a%2Fb/pods/kubernetes%3A443%2Fproxy%2Fx%3Fy%3D/portforward";
    assert.equal(line, `${way.method} ${path}${way.query ?? ""} HTTP/1.1`);
  });

  test(`upgradePod() gives a login its own time, by ${engine}`, async () => {
    const login = Promise.withResolvers<Credential>();
    const credentials = { current: () => login.promise, rejected: () => false };
    await using server = await openUpgradeServer(pass, { cluster: { credentials } });
    const clock = new FakeClock();
    const connected = upgraded(server.cluster, pod, clock);
    await clock.advance(60_000);
    login.resolve({ headers: {} });
    (await connected).socket.destroy();
    assert.equal(clock.pending, 0);
  });

  test(`upgradePod() says in 10 s why a login cannot be had, by ${engine}`, async () => {
    const failure = new LocalizerError("unauthenticated", "Log in again");
    const credentials = { current: () => Promise.withResolvers<never>().promise, rejected: () => false, failure };
    await using server = await openUpgradeServer(pass, { cluster: { credentials } });
    const clock = new FakeClock();
    const refused = assert.rejects(upgraded(server.cluster, pod, clock), failure);
    await clock.advance(10_000);
    await refused;
    assert.equal(server.requests.length, 0);
  });

  test(`upgradePod() asks nothing of the server when there is no credential, by ${engine}`, async () => {
    const denied = new LocalizerError("denied", "The token file is empty");
    const credentials = { current: () => Promise.reject(denied), rejected: () => false };
    await using server = await openUpgradeServer(pass, { cluster: { credentials } });
    await assert.rejects(upgraded(server.cluster), denied);
    assert.equal(server.requests.length, 0);
  });

  test(`upgradePod() throws unauthenticated when nothing can be renewed, by ${engine}`, async () => {
    const credentials = expiring(false);
    await using server = await openUpgradeServer(respond(unknown), { cluster: { credentials } });
    await assert.rejects(upgraded(server.cluster), { code: "unauthenticated" });
    assert.equal(server.requests.length, 1);
    assert.deepEqual(credentials.refused, [{ headers: { authorization: "Bearer 0" } }]);
  });

  test(`upgradePod() tries a renewed credential once, on a connection of its own, by ${engine}`, async () => {
    const answer = ({ head, socket }: UpgradeRequest) =>
      void socket.write(/bearer 1/i.test(head) ? answerTo(head) : unknown);
    await using server = await openUpgradeServer(answer, { cluster: { credentials: expiring(true) } });
    (await upgraded(server.cluster)).socket.destroy();
    assert.equal(server.requests.length, 2);
    const credentials = expiring(true);
    await using stubborn = await openUpgradeServer(respond(unknown), { cluster: { credentials } });
    await assert.rejects(upgraded(stubborn.cluster), { code: "unauthenticated" });
    assert.equal(stubborn.requests.length, 2);
    assert.equal(credentials.refused.length, 2);
  });

  test(`upgradePod() throws gone when there is no such pod, by ${engine}`, async () => {
    const status = { kind: "Status", message: 'pods "cart-0" not found', details: { kind: "pods", name: "cart-0" } };
    await using server = await openUpgradeServer(respond(httpAnswer("404 Not Found", JSON.stringify(status))));
    await assert.rejects(upgraded(server.cluster), { code: "gone", message: 'pods "cart-0" not found' });
  });

  for (const [said, body, words] of [
    ["a page of its own", "<h1>not here</h1>", "404 <h1>not here</h1>"],
    ["no Status", '{"kind":"Error","message":"no route","details":{"kind":"pods"}}', "no route"],
    ["a Status about another thing", '{"kind":"Status","message":"no c-1","details":{"kind":"clusters"}}', "no c-1"],
  ] as const) {
    test(`upgradePod() throws unavailable for a gateway's 404 with ${said}, by ${engine}`, async () => {
      await using server = await openUpgradeServer(respond(httpAnswer("404 Not Found", body)));
      await assert.rejects(upgraded(server.cluster), { code: "unavailable", message: words });
    });
  }

  for (const [what, wrong, fault] of wrongAnswers(way.protocol, way.subprotocol)) {
    test(`upgradePod() takes no 101 for an upgrade that ${what}, by ${engine}`, async () => {
      const closed = Promise.withResolvers<void>();
      await using server = await openUpgradeServer(({ head, socket }) => {
        socket.once("close", () => closed.resolve());
        socket.write(wrong(answerTo(head)));
      });
      const message = `the answer is no such upgrade: ${fault}`;
      await assert.rejects(upgraded(server.cluster), { code: "unavailable", message });
      await closed.promise;
    });
  }
}

type WrongAnswer = readonly [what: string, wrong: (right: string) => string, fault: string];

function wrongAnswers(protocol: string, subprotocol = ""): readonly WrongAnswer[] {
  const other: WrongAnswer = [
    "switches to something else",
    (right) => right.replace(/^Upgrade: .*$/m, "Upgrade: h2c"),
    'it switches to "h2c"',
  ];
  if (protocol === "websocket") {
    const wrong = (right: string) => right.replace(subprotocol, "some.channel");
    return [other, ["speaks something else", wrong, 'it speaks "some.channel" in the WebSocket']];
  }
  return [
    other,
    [
      "speaks something else",
      (right) => right.replace("portforward.k8s.io", "v4.channel.k8s.io"),
      'it speaks "v4.channel.k8s.io" in SPDY',
    ],
    ["does not say what it speaks", (right) => right.replace(/X-Stream.*\r\n/, ""), 'it speaks "nothing" in SPDY'],
  ];
}
