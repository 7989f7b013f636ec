/**
 * `npm run demo`: the main job, for real. A cluster with a small shop of services, localizer beside it, the table,
 * requests by name, and a clean end. Touches nothing of this machine: the hosts file is the demo's own, and the
 * requests see it as /etc/hosts.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { startCluster } from "../cluster/cluster.ts";
import { curlByName } from "../e2e/by-name.ts";
import { echo } from "../e2e/echo.ts";
import { type LocalizerRun, startLocalizer } from "../e2e/localizer-run.ts";
import { shopObjects, shopPods } from "./shop.ts";

const rooms = { shop: "web-shop", bank: "the-bank" };
const requests = [
  `http://cart.${rooms.shop}.svc.cluster.local/`,
  `http://cart.${rooms.shop}/`,
  `http://web.${rooms.shop}.svc/`,
  `http://web.${rooms.shop}:443/`,
  `http://accounts.${rooms.bank}/`,
  `http://ledger.${rooms.bank}.svc:7003/`,
];

const usage = `usage: npm run demo

Starts the test cluster (the first time it builds Kubernetes from source, five to twelve minutes), a small shop of
services in it, and localizer; prints the table of services and requests by name; stops everything again.
Needs Linux and root. LOCALIZER_TEST_CLUSTER=keep leaves the cluster up.
`;

const { values } = parseArgs({ options: { help: { type: "boolean", short: "h" } } });
if (values.help) process.stdout.write(usage);
else if (process.platform !== "linux" || process.geteuid?.() !== 0) {
  process.stderr.write("The demo needs Linux and root: it starts a Kubernetes node in network and mount namespaces\n");
  process.exitCode = 1;
} else await demo();

async function demo(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error(signal)));
  say("A Kubernetes cluster");
  await using cluster = await startCluster({ log: line, signal: stop.signal });

  say("A small shop: two namespaces, a Deployment with two pods, a StatefulSet, ports 80 and 443");
  await using _shop = { [Symbol.asyncDispose]: async () => void (await removeShop(cluster.kubectl)) };
  await cluster.apply(shopObjects(rooms));
  for (const { room, selector, count } of shopPods) await cluster.waitForReadyPods(rooms[room], selector, count);
  for (const [namespace, service, count] of [
    [rooms.shop, "cart", 2],
    [rooms.shop, "web", 1],
    [rooms.bank, "accounts", 2],
  ] as const) {
    await cluster.waitForEndpoints(namespace, service, count);
  }

  say("localizer");
  await using localizer = await startLocalizer({ kubeconfig: cluster.kubeconfig });
  line(localizer.summary);
  stop.signal.throwIfAborted();
  await show(localizer);

  say("localizer down");
  const { stdout, code } = await localizer.cli("down");
  line(stdout.trim());
  if (code !== 0 || (await localizer.exited) !== 0)
    throw new Error(`localizer did not end in order:\n${localizer.output()}`);
  line(`The hosts file afterwards: ${JSON.stringify(localizer.hosts())}`);
}

async function show(localizer: LocalizerRun): Promise<void> {
  say("localizer list");
  line((await localizer.cli("list")).stdout.trimEnd());
  say("The hosts file");
  line(localizer.hosts().trimEnd());
  for (const url of requests) {
    say(`curl ${url}`);
    line((await curlByName(localizer.place.hostsFile, url)).trimEnd());
  }
  say(`10 MiB to cart.${rooms.shop}:7000 (raw TCP echo) and back`);
  const bytes = randomBytes(10 * 1024 * 1024);
  const startedMs = performance.now();
  const back = await echo(localizer.addressOf(`cart.${rooms.shop}`), 7000, bytes);
  if (!back.equals(bytes)) throw new Error(`the echo differs: ${back.length} bytes of ${bytes.length}`);
  line(`equal, ${(performance.now() - startedMs).toFixed(0)} ms`);
}

async function removeShop(kubectl: (args: readonly string[]) => Promise<string>): Promise<void> {
  await kubectl(["delete", "namespace", ...Object.values(rooms), "--ignore-not-found", "--wait=false"]);
}

function say(text: string): void {
  process.stdout.write(`\n$ ${text}\n`);
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}
