import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { PodTunnelState, ServiceState } from "../controller/service-table.ts";
import { LocalizerError } from "../errors.ts";
import { parseEndpointSlice } from "../kube/endpoint-slice.ts";
import { hostName } from "../model/host-name.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { isLoopbackAddress, type LoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { serviceKey } from "../model/service-key.ts";
import type { TunnelPortStatus } from "../tunnel/tunnel-components.ts";
import { PortForwardHealth } from "./port-forward-health.ts";
import { serviceRow } from "./service-rows.ts";

const key = serviceKey("shop", "cart");
const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const forbidden = new LocalizerError("denied", "pods is forbidden");
const taken = new LocalizerError("conflict", "Cannot listen on 127.1.2.3:80: the port is taken");
const takenToo = new LocalizerError("conflict", "Cannot listen on 127.1.2.3:443: the port is taken");
const isTaken = "the port is taken; --skip-port leaves a port out";
const privileged = new LocalizerError("denied", "Cannot listen on 127.1.2.3:443: ports below 1024 need the helper");
const refused = new LocalizerError("refused", "nothing listens on that port");

async function health(attempts: "none" | "worked" | "denied"): Promise<PortForwardHealth> {
  const found = new PortForwardHealth(new FakeClock());
  if (attempts === "none") return found;
  const probe = async () => {
    if (attempts === "denied") throw forbidden;
  };
  const probing = found.keepProbing(() => new Map([[pod.namespace, pod]]), probe);
  await probing.firstRound;
  await probing[Symbol.asyncDispose]();
  return found;
}

function portStatus(number: number, parts: Partial<TunnelPortStatus> = {}): TunnelPortStatus {
  const endpoint = { pod, port: port(8080) };
  const at = { address: loopback("127.1.2.3"), port: port(number) };
  const healthy = {
    state: "listening",
    at,
    bindError: undefined,
    endpoint,
    ready: 1,
    connections: 0,
    lastError: undefined,
    traffic: undefined,
  } as const;
  return { port: port(number), ...healthy, ...parts };
}

const noPod = { endpoint: undefined, ready: 0 };
const refusing = { ...noPod, state: "refusing", at: undefined } as const;
const refusingReason = "no pod has been ready for 5 s, so connections are refused";
const shifted = { address: loopback("127.1.2.3"), port: port(8080) };
const atNothing = { at: undefined, bindError: taken };
const quiet = { readyPods: 1, connections: 0, lastError: "" };

function podTunnel(hostname: string, address: string): PodTunnelState {
  const names = { names: [hostName(`${hostname}.cart.shop.svc`)], skipped: [] };
  return { hostname, address: loopback(address), ports: [], names };
}

function loopback(address: string): LoopbackAddress {
  assert.ok(isLoopbackAddress(address));
  return address;
}

function tunnel(...ports: readonly TunnelPortStatus[]): Extract<ServiceState, { kind: "tunnel" }> {
  const address = loopback("127.1.2.3");
  const names = { names: [hostName("cart.shop.svc")], skipped: [] };
  return { kind: "tunnel", key, address, ports, names, notice: undefined, pods: [] };
}

test("serviceRow() shows a tunnel with its pod, address and ports", async () => {
  assert.deepEqual(serviceRow(tunnel(portStatus(80, noPod), portStatus(443)), await health("worked")), {
    namespace: "shop",
    name: "cart",
    status: "running",
    statusReason: "port 80: no pod is ready",
    endpoint: "cart-0",
    ip: "127.1.2.3",
    ports: ["80/TCP", "443/TCP"],
    names: ["cart.shop.svc"],
    skippedNames: [],
    portRows: [
      { port: 80, status: "waiting", reason: "no pod is ready", listen: "127.1.2.3:80", ...quiet, readyPods: 0 },
      { port: 443, status: "running", reason: "", listen: "127.1.2.3:443", ...quiet },
    ],
    pods: [],
    namesPending: false,
  });
});

test("serviceRow() shows each pod of a headless service, and says what fails there", async () => {
  const pods = [
    { ...podTunnel("cart-0", "127.1.2.4"), ports: [portStatus(80, { connections: 3 })] },
    { ...podTunnel("cart-1", "127.1.2.5"), ports: [portStatus(80, { ...noPod, state: "failed", ...atNothing })] },
  ];
  const row = serviceRow({ ...tunnel(portStatus(80)), pods }, await health("worked"));
  assert.deepEqual(
    [row.status, row.statusReason],
    ["conflict", `cart-1 80: ${taken.message}; --skip-port leaves a port out`],
  );
  assert.deepEqual(
    row.pods.map(({ hostname, ip, names }) => [hostname, ip, names]),
    [
      ["cart-0", "127.1.2.4", ["cart-0.cart.shop.svc"]],
      ["cart-1", "127.1.2.5", ["cart-1.cart.shop.svc"]],
    ],
  );
  assert.deepEqual(
    row.pods.map(({ ports: [port] }) => [port?.status, port?.listen, port?.connections]),
    [
      ["running", "127.1.2.3:80", 3],
      ["conflict", "", 0],
    ],
  );
  const [well, ...ill] = pods;
  assert.ok(well !== undefined && ill.length === 1);
  const failing = { ...well, ports: [portStatus(80, { lastError: refused })] };
  const other = serviceRow({ ...tunnel(portStatus(80)), pods: [failing] }, await health("worked"));
  assert.deepEqual([other.status, other.statusReason], ["running", `last failure: cart-0: ${refused.message}`]);
});

test("serviceRow() has one word for how a tunnel stands, and the reason", async () => {
  const [unknown, works, denied] = [await health("none"), await health("worked"), await health("denied")];
  const table: readonly (readonly [TunnelPortStatus[], PortForwardHealth, status: string, reason: string])[] = [
    [[portStatus(80)], unknown, "listening", ""],
    [[portStatus(80)], works, "running", ""],
    [[portStatus(80)], denied, "denied", forbidden.message],
    [[portStatus(80, noPod)], works, "waiting", "no pod is ready"],
    [[portStatus(80, noPod)], unknown, "waiting", "no pod is ready"],
    [[portStatus(80, noPod), portStatus(443)], works, "running", "port 80: no pod is ready"],
    [[portStatus(80, refusing)], works, "refusing", refusingReason],
    [[portStatus(80, refusing), portStatus(443, refusing)], unknown, "refusing", refusingReason],
    [[portStatus(80, refusing), portStatus(443, noPod)], works, "waiting", "no pod is ready"],
    [[portStatus(80, refusing), portStatus(443)], works, "running", `port 80: ${refusingReason}`],
    [[portStatus(80, refusing)], denied, "denied", forbidden.message],
    [[portStatus(80, { state: "waiting", at: undefined })], works, "waiting", "it is being opened"],
    [[portStatus(80, { at: shifted })], works, "running", "port 80 listens on 8080"],
    [[portStatus(80, { at: shifted, ...noPod })], works, "waiting", "no pod is ready; port 80 listens on 8080"],
    [[portStatus(80, { ...noPod, bindError: taken }), portStatus(443)], works, "conflict", `80: ${isTaken}`],
    [
      [portStatus(80, { bindError: taken }), portStatus(443, { bindError: takenToo })],
      works,
      "conflict",
      `80, 443: ${isTaken}`,
    ],
    [[portStatus(443, { ...noPod, bindError: privileged })], works, "denied", "443: ports below 1024 need the helper"],
    [
      [portStatus(80, { ...noPod, bindError: taken }), portStatus(443, { ...noPod, bindError: privileged })],
      works,
      "conflict",
      "80: the port is taken; 443: ports below 1024 need the helper; --skip-port leaves a port out",
    ],
    [
      [portStatus(80, { lastError: refused }), portStatus(443, { lastError: refused })],
      works,
      "running",
      `last failure: ${refused.message}`,
    ],
  ];
  for (const [ports, known, status, reason] of table) {
    const row = serviceRow(tunnel(...ports), known);
    assert.deepEqual([row.status, row.statusReason], [status, reason]);
  }
});

test("serviceRow() adds what is left out", async () => {
  const state = {
    ...tunnel(portStatus(80)),
    notice: "not forwarded: 53/UDP",
    names: { names: [], skipped: [{ name: "cart.shop", reason: '"shop" is a top-level domain' }] },
  };
  const row = serviceRow(state, await health("worked"));
  assert.deepEqual([row.names, row.skippedNames], [[], state.names.skipped]);
  assert.equal(row.statusReason, 'not forwarded: 53/UDP; no name cart.shop: "shop" is a top-level domain');
});

test("serviceRow() says whether its names stand in the hosts file", async () => {
  const state = tunnel(portStatus(80));
  const { address, names } = state;
  const known = await health("worked");
  const pending = (entries: readonly HostsEntry[] | undefined) =>
    serviceRow(state, known, { written: { entries } }).namesPending;
  assert.deepEqual(
    [pending(undefined), pending([]), pending([{ address, names: [] }]), pending([{ address, names: names.names }])],
    [true, true, true, false],
  );
  assert.equal(serviceRow(state, known).namesPending, false);
});

test("serviceRow() names a target port that no ready pod has", async () => {
  const labels = { "kubernetes.io/service-name": "cart" };
  const targetRef = { kind: "Pod", namespace: "shop", name: "cart-0", uid: "u1" };
  const slices = [
    parseEndpointSlice({
      metadata: { namespace: "shop", name: "cart-x", uid: "x", labels },
      ...{ addressType: "IPv4", ports: [], endpoints: [{ addresses: ["10.1.1.1"], targetRef }] },
    }),
  ];
  const ports = [{ name: "", protocol: "TCP", port: port(80), targetPort: "nosuch" }] as const;
  const facts = { service: { ports, publishNotReadyAddresses: false }, slices };
  const reasonOf = async (status: TunnelPortStatus) => {
    const row = serviceRow(tunnel(status), await health("worked"), facts);
    return [row.status, row.statusReason];
  };
  assert.deepEqual(await reasonOf(portStatus(80, noPod)), ["waiting", 'no ready pod has the port "nosuch"']);
  assert.deepEqual(await reasonOf(portStatus(80, refusing)), [
    "refusing",
    'no ready pod has the port "nosuch", so connections are refused',
  ]);
});

test("serviceRow() shows a service without a tunnel with the reason alone", async () => {
  const details = { names: [], skippedNames: [], portRows: [], pods: [], namesPending: false };
  const bare = { namespace: "shop", name: "cart", endpoint: "", ip: "", ports: ["53/UDP"], ...details };
  const ports = [{ name: "", protocol: "UDP", port: port(53), targetPort: port(53) }] as const;
  const facts = { service: { ports, publishNotReadyAddresses: false } };
  const skipped = serviceRow(
    { kind: "skipped", key, reason: "it has no selector, so no pods" },
    await health("denied"),
    facts,
  );
  assert.deepEqual(skipped, { ...bare, status: "skipped", statusReason: "it has no selector, so no pods" });
  const error = new LocalizerError("unavailable", "no address is left");
  const failed = serviceRow({ kind: "failed", key, error }, await health("worked"), facts);
  assert.deepEqual(failed, { ...bare, status: "conflict", statusReason: "no address is left" });
  assert.equal(serviceRow({ kind: "failed", key, error: forbidden }, await health("none")).status, "denied");
});
