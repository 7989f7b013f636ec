/** A lab whose API server is far away: the same objects, with a kubeconfig that leads through a relay. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { portOf, startDelayRelay } from "./relay-contender.ts";

/** Disposing ends the relay; the lab itself stays. */
export async function openFarLab(lab: Lab, roundTripMs: number, signal: AbortSignal): Promise<Lab> {
  await using all = new AsyncDisposableStack();
  const { host } = new URL(lab.cluster.server);
  const relay = all.use(await startDelayRelay(roundTripMs / 2, [host], signal));
  const far = all.use(await labThrough(lab, Number(portOf(relay, host))));
  const works = all.move();
  return { ...far, [Symbol.asyncDispose]: () => works.disposeAsync() };
}

/** The lab as it is seen through a port of loopback that leads to its API server. Disposing removes the kubeconfig. */
export async function labThrough(lab: Lab, port: number): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), "localizer-bench-kubeconfig-"));
  const kubeconfig = join(folder, "kubeconfig");
  const server = `https://127.0.0.1:${port}`;
  const text = await readFile(lab.cluster.kubeconfig, "utf8");
  await writeFile(kubeconfig, rerouted(text, server), { mode: 0o600 });
  return {
    ...lab,
    cluster: { ...lab.cluster, kubeconfig, server },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The kubeconfig with another server for its cluster, whose certificate is still that of the old one. Pure. */
export function rerouted(kubeconfig: string, server: string): string {
  // Written by cluster/kubeconfig.ts, as JSON.
  const config = JSON.parse(kubeconfig) as { readonly clusters: readonly { readonly cluster: { server: string } }[] };
  for (const { cluster } of config.clusters) {
    const { hostname } = new URL(cluster.server);
    Object.assign(cluster, { "tls-server-name": hostname, server });
  }
  return JSON.stringify(config);
}
