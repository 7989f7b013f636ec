/** Row list: how Services and their slices come in at the start, by a gzipped list or by a WatchList (sendInitialEvents). */
import { readFile } from "node:fs/promises";
import { systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { at } from "../../src/kube/json.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { type ListScope, listPath, listVersion } from "../../src/kube/list-watch.ts";
import { serviceKind, sliceKind } from "../../src/kube/service-watches.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";
import { startRelay } from "../support/relay.ts";
import type { Lab } from "./lab.ts";
import type { Recorder } from "./results.ts";
import type { Row } from "./row.ts";

/** A way to have all objects of both kinds. Gives how many they are. */
interface Way {
  readonly name: string;
  readonly run: (client: ApiClient, scope: ListScope, signal: AbortSignal) => Promise<number>;
}

/** What a reflector does. */
const gzipList: Way = {
  name: "gzip list",
  async run(client, scope, signal) {
    const { list, items } = await client.getList(listPath(scope, "0"), parserOf(scope), { signal });
    listVersion(list, scope);
    return items.length;
  },
};

/** What it could do instead (Kubernetes API concepts, "Streaming lists"). */
const watchList: Way = {
  name: "WatchList",
  async run(client, scope, signal) {
    const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    const parse = parserOf(scope);
    let count = 0;
    for await (const { type, object } of client.watch(`${listPath(scope, "")}?${query}`, { signal })) {
      if (at(object, "metadata", "annotations", "k8s.io/initial-events-end") === "true") return count;
      if (type !== "ADDED") continue;
      parse(object);
      count++;
    }
    throw new Error("The server ended the watch before it had sent all objects");
  },
};

const most = 300;

const limits = `The API server compresses a list and not the first events of a watch, so a list has a fraction of the bytes; time goes
into its encoding there and JSON.parse here.`;

/** Each sample has connections of its own, which are open before it is taken. */
export const listRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const services = Math.min(settings.services, most);
    recorder.note(
      `${services} Services and their slices, parsed; bytes as they come from the API server, TLS included`,
    );
    recorder.note("the column localizer holds both ways; it uses the gzip list");
    await using lab = await openLab({ ports: ["echo"], services });
    for (let repeat = 0; repeat < settings.repeats; repeat++) {
      log(`  repeat ${repeat + 1} of ${settings.repeats}`);
      const ways = repeat % 2 === 0 ? [gzipList, watchList] : [watchList, gzipList];
      for (const way of ways) await sample(way, { lab, recorder, signal });
    }
  },
};

async function sample(
  { name, run }: Way,
  { lab, recorder, signal }: { readonly lab: Lab; readonly recorder: Recorder; readonly signal: AbortSignal },
): Promise<void> {
  const path = lab.cluster.kubeconfig;
  const cluster = await loadCluster({ path, env: {}, home: "/", readFile: (file) => readFile(file) });
  const { hostname, port } = cluster.server;
  await using relay = await startRelay(Number(port), hostname);
  const tls = { ...cluster.tls, servername: hostname };
  const server = new URL(`https://127.0.0.1:${relay.port}`);
  const there = { ...cluster, server, tls, tlsClient: new TlsClient(tls) };
  await using client = new ApiClient({ cluster: there, clock: systemClock }, { version: "bench" });
  await openConnections(client, lab.namespace, signal);
  const before = relay.bytesBack;
  const startedMs = performance.now();
  const scopes = [serviceKind, sliceKind].map(({ resource }) => ({ resource, namespace: lab.namespace }));
  const counts = await Promise.all(scopes.map((scope) => run(client, scope, signal)));
  const seconds = (performance.now() - startedMs) / 1000;
  const kibibytes = (relay.bytesBack - before) / 1024;
  const wanted = lab.services.length;
  if (counts.some((count) => count < wanted)) throw new Error(`${name} gave ${counts.join(" and ")} of ${wanted}`);
  recorder.add({ name: `${name}, on the wire`, unit: "KiB", better: "less" }, "localizer", kibibytes);
  recorder.add({ name: `${name}, to synced`, unit: "s", better: "less" }, "localizer", seconds);
}

/** Calls and watches travel on connections of their own. */
async function openConnections(client: ApiClient, namespace: string, signal: AbortSignal): Promise<void> {
  await client.getJson("/version", { signal });
  const quiet = `/api/v1/namespaces/${namespace}/secrets?watch=1&resourceVersion=0&timeoutSeconds=1`;
  for await (const _event of client.watch(quiet, { signal }));
}

function parserOf({ resource }: ListScope): (value: unknown) => unknown {
  return resource.plural === serviceKind.resource.plural ? serviceKind.parse : sliceKind.parse;
}
