// Packets that vanish on the way to the API server, in two network namespaces that the test makes and nobody else sees.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { type RemoteProcess, startRemote } from "../support/remote-process.ts";

const skip = process.platform === "linux" && process.geteuid?.() === 0 ? false : "needs Linux and root";
const limits = { skip, timeout: 300_000 };
const [here, there, other, port] = ["10.77.0.1", "10.77.0.2", "10.78.0.1", 6443];

/** The two, joined by a cable. */
interface Network extends AsyncDisposable {
  readonly client: RemoteProcess;
  /** From now on nothing comes back from the server, not even a reset. */
  dig(): void;
  fill(): void;
  /** The client's network is another one: `add` or `del` and an address. */
  change(what: string): void;
}

async function openNetwork(): Promise<Network> {
  const run = (program: string, ...args: readonly string[]) =>
    startRemote("unshare", ["--net", process.execPath, join(import.meta.dirname, program), ...args]);
  await using all = new AsyncDisposableStack();
  const client = all.use(run("black-hole-client.ts", `http://${there}:${port}`));
  const server = all.use(run("black-hole-server.ts", "0.0.0.0", String(port)));
  await server.fact("listening");
  const ip = ({ pid }: RemoteProcess, words: string) =>
    execFileSync("nsenter", ["-t", String(pid), "-n", "ip", ...words.split(" ")]);
  ip(client, "link set lo up");
  ip(server, `link add cable type veth peer name cable netns ${client.pid}`);
  for (const [side, address] of [[client, here] as const, [server, there] as const]) {
    ip(side, `address add ${address}/24 dev cable`);
    ip(side, "link set cable up");
  }
  const owned = all.move();
  return {
    client,
    dig: () => void ip(server, `route add blackhole ${here}/32`),
    fill: () => void ip(server, `route del blackhole ${here}/32`),
    change: (what) => void ip(client, `address ${what}/24 dev cable`),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** How long each connection lived from now on, in ms. */
async function endsOf(client: RemoteProcess): Promise<Readonly<Record<string, number>>> {
  client.tell("ends");
  // The client's own words.
  return (await client.fact("ends")) as Readonly<Record<string, number>>;
}

/** How an attempt went. */
async function triedBy(client: RemoteProcess): Promise<{ readonly failure?: string; readonly ms: number }> {
  return (await client.fact("tried")) as { readonly failure?: string; readonly ms: number };
}

const kinds = ["quiet", "download", "upload direct", "stuck direct", "upload proxied", "stuck proxied"];

/** Longer than silence may last on any other connection. */
const stuckMs = 16_000;

test(
  "a black hole is noticed within 15 s on connections of every kind, and a slow application is none",
  limits,
  async (t) => {
    await using network = await openNetwork();
    network.client.tell("open", stuckMs);
    assert.deepEqual(await network.client.fact("open"), kinds);
    network.dig();
    const ends = await endsOf(network.client);
    t.diagnostic(JSON.stringify(ends));
    for (const name of kinds) {
      const ms = ends[name] ?? Number.NaN;
      assert.ok(ms >= 6_000 && ms <= 15_000, `${name}: ${ms}`);
    }
  },
);

test(
  "on another network what answers lives on; all is lost within 6 s when our address is no more",
  limits,
  async (t) => {
    await using network = await openNetwork();
    const { client } = network;
    client.tell("open", 2_000);
    await client.fact("open");
    network.change(`add ${other}`);
    client.tell("living", 8_000);
    assert.deepEqual(await client.fact("open"), kinds);
    // As when a VPN ends, and comes back.
    network.change(`del ${here}`);
    const ends = await endsOf(client);
    network.change(`add ${here}`);
    client.tell("try");
    const next = await triedBy(client);
    t.diagnostic(JSON.stringify({ ends, next }));
    for (const name of kinds) assert.ok((ends[name] ?? Number.NaN) <= 6_500, `${name}: ${ends[name]}`);
    assert.equal(next.failure, undefined);
  },
);

test(
  "a black hole costs a new connection one failed attempt, and one that waits comes through with the line",
  limits,
  async (t) => {
    await using network = await openNetwork();
    const { client } = network;
    client.tell("idle");
    await client.fact("idle");
    network.dig();
    // It is handed the pooled connection, of which nobody can know yet.
    client.tell("try");
    const first = await triedBy(client);
    client.tell("try");
    await client.fact("trying");
    network.fill();
    const second = await triedBy(client);
    t.diagnostic(JSON.stringify({ first, second }));
    assert.ok(first.failure !== undefined && first.ms <= 15_000, JSON.stringify(first));
    assert.ok(second.failure === undefined && second.ms <= 6_000, JSON.stringify(second));
  },
);
