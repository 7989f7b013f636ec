/**
 * The daemon's way to pods without the daemon, for a network namespace of its own: `black-hole-client.ts SERVER`. It obeys
 * JSON lines: ["open", ms] opens connections of all kinds and says `open` so long after, with those that live; ["ends"] says
 * after how many ms each of them ended; ["living", ms] says `open` again; ["idle"] leaves a connection that nobody uses; ["try"] makes an attempt, says
 * `trying` when that takes 3 s, and in the end how it went.
 */
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { systemClock as clock, withTimeout } from "../../src/clock.ts";
import { networkAddresses } from "../../src/daemon/network-addresses.ts";
import { LocalizerError } from "../../src/errors.ts";
import { staticCredentials } from "../../src/kube/credentials.ts";
import { silentLogger } from "../../src/log.ts";
import { port } from "../../src/model/port.ts";
import { tcpDelivery } from "../../src/net/tcp-delivery.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { Surroundings } from "../../src/portforward/surroundings.ts";
import { startHttpProxy } from "../support/proxies.ts";

/** An attempt that is still under way then hangs. */
const tryingMs = 3_000;

const server = new URL(process.argv[2] ?? "");
const proxy = await startHttpProxy();
const deliveryOf = tcpDelivery();

function openDialer(throughProxy: boolean) {
  const surroundings = new Surroundings({ clock, addresses: networkAddresses });
  const cluster = {
    ...{ contextName: "test", clusterName: "test", userName: "test", namespace: undefined, server },
    ...{ tls: { rejectUnauthorized: true }, credentials: staticCredentials() },
    proxy: throughProxy ? new URL(`http://127.0.0.1:${proxy.port}`) : undefined,
  };
  const witnesses = { deliveryOf, isOurs: (address: string) => surroundings.isOurs(address) };
  const connector = podConnector({ cluster, clock, log: silentLogger(), witnesses }, "post-spdy");
  return openPodDialer({ connect: (pod, signal) => connector.connect(pod, signal), clock, surroundings });
}

const direct = openDialer(false);
const proxied = openDialer(true);
const never = new AbortController().signal;
const say = (facts: object) => void process.stdout.write(`${JSON.stringify(facts)}\n`);

/** A connection to the pod's port; each kind has a pod of its own, so that none shares. */
async function open(name: string, podPort: number, dialer = direct, signal = never): Promise<Duplex> {
  const pod = { namespace: "shop", name, uid: name };
  const stream = await dialer.dial({ pod, port: port(podPort) }, signal);
  stream.resume();
  return stream;
}

function flood(stream: Duplex): void {
  const block = Buffer.alloc(65_536);
  const more = () => {
    while (!stream.destroyed && stream.write(block));
  };
  stream.on("drain", more);
  more();
}

async function echo(stream: Duplex): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.once("data", () => resolve());
  stream.once("close", () => reject(stream.errored ?? new Error("closed")));
  stream.write("x");
  await promise;
}

const streams: Record<string, Duplex> = {};

async function openAll(ms: number): Promise<void> {
  streams.quiet = await open("quiet", 7);
  await echo(streams.quiet);
  streams.download = await open("download", 19);
  streams.download.write("go");
  for (const [name, dialer] of Object.entries({ direct, proxied })) {
    const reads = await open(`upload-${name}`, 9, dialer);
    const stuck = await open(`stuck-${name}`, 99, dialer);
    flood(reads);
    flood(stuck);
    streams[`upload ${name}`] = reads;
    streams[`stuck ${name}`] = stuck;
  }
  await sayLiving(ms);
}

async function sayLiving(ms: number): Promise<void> {
  await clock.sleep(ms);
  say({ open: Object.keys(streams).filter((name) => streams[name]?.destroyed === false) });
}

async function sayEnds(): Promise<void> {
  const startedMs = clock.monotonic();
  const ended = Object.entries(streams).map(async ([name, stream]) => {
    if (!stream.destroyed) await new Promise((resolve) => stream.once("close", resolve));
    return [name, clock.monotonic() - startedMs];
  });
  say({ ends: Object.fromEntries(await Promise.all(ended)) });
}

async function leaveIdle(): Promise<void> {
  const stream = await open("shared", 7);
  await echo(stream);
  stream.destroy();
  say({ idle: true });
}

async function attempt(): Promise<void> {
  const startedMs = clock.monotonic();
  using _timer = clock.after(tryingMs, () => say({ trying: true }));
  try {
    const stream = await withTimeout(clock, { action: "Dial", timeoutMs: 15_000 }, (signal) => {
      return open("shared", 7, direct, signal);
    });
    await echo(stream);
    stream.destroy();
    say({ tried: { ms: clock.monotonic() - startedMs } });
  } catch (error) {
    say({ tried: { failure: LocalizerError.from(error).message, ms: clock.monotonic() - startedMs } });
  }
}

const commands: Readonly<Record<string, (ms: number) => Promise<void>>> = {
  open: openAll,
  living: sayLiving,
  ends: sayEnds,
  idle: leaveIdle,
  try: attempt,
};
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ms] = JSON.parse(line);
  void commands[command]?.(ms);
}
