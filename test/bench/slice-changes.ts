/** EndpointSlices that change all the time, without a change of any name or address: an endpoint comes and goes. */
import { setTimeout as sleep } from "node:timers/promises";
import { applicationPorts } from "./contender.ts";
import type { Lab } from "./lab.ts";

const services = 20;
const atOnce = 8;

/** Services without a selector, each with a slice of our own. Disposing deletes them. */
export class ChangingSlices implements AsyncDisposable {
  readonly #lab: Lab;
  #next = 0;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Makes them. */
  static async make(lab: Lab, signal: AbortSignal): Promise<ChangingSlices> {
    const { api } = lab.cluster;
    for (let index = 0; index < services; index++) {
      for (const [path, object] of objectsOf(lab, index)) {
        const { status, body } = await api.send("POST", path, object, signal);
        if (status !== 201) throw new Error(`Cannot create "${nameOf(index)}": ${status} ${JSON.stringify(body)}`);
      }
    }
    return new ChangingSlices(lab);
  }

  /** Changes one after the other at that rate for so long. Returns how many it came to. */
  async change({
    perSecond,
    forMs,
    signal,
  }: {
    perSecond: number;
    forMs: number;
    signal: AbortSignal;
  }): Promise<number> {
    const startedMs = performance.now();
    let changes = 0;
    const work = async () => {
      for (;;) {
        const turn = changes++;
        const dueMs = startedMs + (turn * 1000) / perSecond;
        if (dueMs - startedMs >= forMs || performance.now() - startedMs >= forMs) {
          changes--;
          return;
        }
        await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal });
        await this.#changeOne(signal);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { namespace, cluster } = this.#lab;
    for (let index = 0; index < services; index++) {
      // No signal: this has to be done after Ctrl-C as well. What is left goes with the namespace.
      await cluster.api.send("DELETE", `${slicesOf(this.#lab)}/${nameOf(index)}`);
      await cluster.api.send("DELETE", `/api/v1/namespaces/${namespace}/services/${nameOf(index)}`);
    }
  }

  async #changeOne(signal: AbortSignal): Promise<void> {
    const turn = this.#next++;
    const index = turn % services;
    const isThere = Math.floor(turn / services) % 2 === 0;
    const path = `${slicesOf(this.#lab)}/${nameOf(index)}`;
    const { status, body } = await this.#lab.cluster.api.send(
      "PATCH",
      path,
      { endpoints: endpointsOf(this.#lab, index, isThere) },
      signal,
    );
    if (status !== 200) throw new Error(`Cannot change "${nameOf(index)}": ${status} ${JSON.stringify(body)}`);
  }
}

function objectsOf(lab: Lab, index: number): readonly (readonly [path: string, object: object])[] {
  const name = nameOf(index);
  const ports = [{ name: "echo", port: applicationPorts.echo, protocol: "TCP" }];
  const labels = {
    "kubernetes.io/service-name": name,
    "endpointslice.kubernetes.io/managed-by": "localizer-bench",
  };
  const service = { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports } };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, labels },
    addressType: "IPv4",
    endpoints: endpointsOf(lab, index, false),
    ports,
  };
  return [
    [`/api/v1/namespaces/${lab.namespace}/services`, service],
    [slicesOf(lab), slice],
  ];
}

/** The lab's pod is always ready, so that no listener closes; beside it one that comes and goes. */
function endpointsOf({ pods: [pod] }: Lab, index: number, isThere: boolean): readonly object[] {
  const endpoint = (address: string, name: string, uid: string, ready: boolean) => ({
    addresses: [address],
    conditions: { ready },
    targetRef: { kind: "Pod", name, uid },
  });
  return [
    endpoint(pod?.address ?? "", pod?.name ?? "", pod?.uid ?? "", true),
    endpoint(`192.0.2.${index + 1}`, "elsewhere", `elsewhere-${index}`, isThere),
  ];
}

function slicesOf({ namespace }: Lab): string {
  return `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
}

function nameOf(index: number): string {
  return `changing-${index}`;
}
