/** A Controller with everything around it: a cluster that the test fills, listeners, a hosts file, a clock. */
import assert from "node:assert/strict";
import { AddressBook } from "../../src/addresses/address-book.ts";
import { Controller } from "../../src/controller/controller.ts";
import type { HostNamePolicy } from "../../src/controller/host-names.ts";
import { HostsPublisher } from "../../src/controller/hosts-publisher.ts";
import { LocalizerError } from "../../src/errors.ts";
import { type EndpointSlice, parseEndpointSlice, serviceKeyOfSlice } from "../../src/kube/endpoint-slice.ts";
import { keyOfService, parseService, type Service } from "../../src/kube/service.ts";
import { Store } from "../../src/kube/store.ts";
import { Logger } from "../../src/log.ts";
import type { HostsEntry } from "../../src/model/hosts-table.ts";
import { parseLoopbackRange } from "../../src/model/loopback.ts";
import { type ServiceKey, serviceKey } from "../../src/model/service-key.ts";
import { turns } from "./event-loop.ts";
import { FakeClock } from "./fake-clock.ts";
import { LoopbackListen } from "./loopback-listen.ts";

const { signal: never } = new AbortController();

/** A Service of the namespace team-a with one port, 80, unless the spec says otherwise. */
export function service(name: string, spec: object = {}): Service {
  const metadata = { namespace: "team-a", name, uid: `${name}-1` };
  return parseService({ metadata, spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec } });
}

/** The slice of a Service, with a ready pod of each name. */
export function slice(name: string, ...pods: readonly string[]): EndpointSlice {
  return sliceOf(
    name,
    pods.map((pod) => endpointOf(pod)),
  );
}

/** The slice of a headless Service, with a pod of each name that is its host name too; one with "!" before it is not ready. */
export function namedSlice(name: string, ...pods: readonly string[]): EndpointSlice {
  const endpoints = pods.map((text) => {
    const pod = text.replace("!", "");
    return { ...endpointOf(pod), hostname: pod, conditions: { ready: pod === text } };
  });
  return sliceOf(name, endpoints);
}

function sliceOf(name: string, endpoints: readonly object[]): EndpointSlice {
  const labels = { "kubernetes.io/service-name": name };
  return parseEndpointSlice({
    metadata: { namespace: "team-a", name: `${name}-x`, uid: `${name}-x`, labels },
    addressType: "IPv4",
    ports: [{ name: "", protocol: "TCP", port: 8080 }],
    endpoints,
  });
}

function endpointOf(pod: string) {
  return { addresses: ["10.1.1.1"], targetRef: { kind: "Pod", namespace: "team-a", name: pod, uid: pod } };
}

/** A cluster's cache that the test fills. */
function fakeCache(...initial: readonly Service[]) {
  const services = new Store<Service>();
  const slices = new Store<EndpointSlice>({ indexBy: serviceKeyOfSlice });
  const listeners = new Set<(key: ServiceKey) => void>();
  const synced = Promise.withResolvers<void>();
  services.replace(initial);
  const tell = (key: ServiceKey) => {
    for (const listener of listeners) listener(key);
  };
  return {
    synced,
    listeners,
    cache: {
      services,
      slicesOf: (key: ServiceKey) => slices.byIndex(key),
      synced: synced.promise,
      onChange(listener: (key: ServiceKey) => void): Disposable {
        listeners.add(listener);
        return { [Symbol.dispose]: () => listeners.delete(listener) };
      },
    },
    put(object: Service) {
      services.replace([...services.list().filter(({ name }) => name !== object.name), object]);
      tell(keyOfService(object));
    },
    remove(name: string) {
      services.replace(services.list().filter((object) => object.name !== name));
      tell(serviceKey("team-a", name));
    },
    putSlice(object: EndpointSlice) {
      slices.replace([...slices.list().filter(({ name }) => name !== object.name), object]);
      tell(serviceKeyOfSlice(object));
    },
  };
}

/** A policy that has nothing against any name and gives no bare ones. */
export const plainPolicy: HostNamePolicy = {
  clusterDomain: "cluster.local",
  namedNamespaces: new Set(),
  shortNamesFor: undefined,
  isTopLevelDomain: () => false,
  taken: new Set(),
  resolvesElsewhere: () => false,
  settled: true,
  onChange: () => ({ [Symbol.dispose]() {} }),
};

/** A controller of these Services, its cluster, and what it brings about. */
export function makeController(
  services: readonly Service[],
  { range = "127.1.0.0/16", names = plainPolicy, taken = new Set<string>() } = {},
) {
  const fake = fakeCache(...services);
  const clock = new FakeClock();
  const listener = new LoopbackListen();
  const writes: string[] = [];
  const warnings: string[] = [];
  const write = async (entries: readonly HostsEntry[]) => {
    writes.push(entries.map(({ names }) => names.at(-1)).join(" "));
  };
  const log = new Logger(({ level, message }) => level === "warn" && warnings.push(message));
  const hosts = new HostsPublisher({ write, clock, log });
  const addresses = new AddressBook({ range: parseLoopbackRange(range), clusterUrl: "https://c/", taken });
  const released: string[] = [];
  const onReleased = (address: string) => void released.push(address);
  const dial = () => Promise.reject(new LocalizerError("gone", "The pod is gone"));
  const controller = new Controller(
    { cache: fake.cache, addresses, hosts, dial, listen: listener.listen, onReleased, clock, log },
    { filter: { skipNamespaces: new Set(), skipPorts: new Set() }, names },
  );
  /** Every service in short: "cart 80,443!conflict" is one with two ports of which the second is not open. */
  const summary = () =>
    controller.states.map((state) => {
      const name = state.key.slice("team-a/".length);
      if (state.kind !== "tunnel") return `${name} ${state.kind}`;
      const ports = state.ports.map(({ port, bindError }) => (bindError ? `${port}!${bindError.code}` : `${port}`));
      return `${name} ${ports.join(",")}`;
    });
  return {
    ...{ ...fake, clock, listener, released, writes, warnings, hosts, controller, summary },
    async start() {
      fake.synced.resolve();
      await controller.start(never);
    },
    /** Until everything is decided and written. */
    async stable() {
      await turns();
      for (let step = 0; !controller.isStable && step < 50; step++) await clock.advance(250);
      assert.ok(controller.isStable);
    },
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]();
      await hosts[Symbol.asyncDispose]();
    },
  };
}
