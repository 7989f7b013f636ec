import assert from "node:assert/strict";
import { test } from "node:test";
import { type EndpointSlice, parseEndpointSlice } from "../kube/endpoint-slice.ts";
import { parseService, type Service } from "../kube/service.ts";
import { headlessPorts, podsWithNames, seenPorts } from "./headless.ts";

type Ports = Readonly<Record<string, number>>;

function service(ports: readonly object[], uid = "u1", spec: object = {}): Service {
  const metadata = { namespace: "shop", name: "db", uid };
  return parseService({ metadata, spec: { clusterIP: "None", selector: { app: "db" }, ports, ...spec } });
}

/** Slice of these ports; "a !b" are the pods a, ready, and b, not ready, each with its name as host name. */
function slice(name: string, ports: Ports, pods: string): EndpointSlice {
  const endpoints = pods.split(" ").filter((text) => text !== "");
  return parseEndpointSlice({
    metadata: { namespace: "shop", name, uid: name, labels: { "kubernetes.io/service-name": "db" } },
    addressType: "IPv4",
    ports: Object.entries(ports).map(([portName, port]) => ({ name: portName, port })),
    endpoints: endpoints.map((text) => {
      const pod = text.replace("!", "");
      const targetRef = { kind: "Pod", name: pod, uid: pod };
      return { addresses: ["10.0.0.1"], hostname: pod, conditions: { ready: pod === text }, targetRef };
    }),
  });
}

/** "80>a:8080,b:8080" a port, in the order in which they are listened on. */
function listened(object: Service, slices: readonly EndpointSlice[], before?: Parameters<typeof seenPorts>[2]) {
  return headlessPorts(object, slices, seenPorts(object, slices, before)).map(({ port, endpoints }) => {
    return `${port}>${endpoints.map((endpoint) => `${endpoint.pod.name}:${endpoint.port}`).join(",")}`;
  });
}

const web = { name: "web", port: 80, targetPort: "http" };

const table: readonly [
  title: string,
  ports: readonly object[],
  slices: readonly EndpointSlice[],
  expected: string[],
][] = [
  ["one port where both are the same", [{ port: 5432 }], [slice("s", { "": 5432 }, "a")], ["5432>a:5432"]],
  [
    "service port and target port where they differ",
    [{ port: 80, targetPort: 8080 }],
    [slice("s", { "": 8080 }, "a b")],
    ["80>a:8080,b:8080", "8080>a:8080,b:8080"],
  ],
  [
    "a numeric target port also while there is no pod",
    [{ port: 80, targetPort: 8080 }],
    [slice("s", {}, "")],
    ["80>", "8080>"],
  ],
  [
    "the service port where it is another one's target port",
    [
      { name: "a", port: 80, targetPort: 8080 },
      { name: "b", port: 8080, targetPort: 9090 },
    ],
    [slice("s", { a: 8080, b: 9090 }, "x")],
    ["80>x:8080", "8080>x:9090", "9090>x:9090"],
  ],
  [
    "one listener for a target port that two service ports share",
    [
      { name: "a", port: 80, targetPort: 8080 },
      { name: "b", port: 81, targetPort: 8080 },
    ],
    [slice("s", { a: 8080, b: 8080 }, "x y")],
    ["80>x:8080,y:8080", "81>x:8080,y:8080", "8080>x:8080,y:8080"],
  ],
  [
    "each number of a named target port, with the pods that have it",
    [web],
    [slice("s", { web: 8080 }, "a"), slice("t", { web: 8081 }, "b")],
    ["80>a:8080,b:8081", "8080>a:8080", "8081>b:8081"],
  ],
  [
    "the number of a pod that is not ready, without it",
    [web],
    [slice("s", { web: 8080 }, "a"), slice("t", { web: 8081 }, "!b")],
    ["80>a:8080", "8080>a:8080", "8081>"],
  ],
  [
    "nothing for UDP",
    [web, { name: "dns", port: 53, protocol: "UDP" }],
    [slice("s", { web: 8080, dns: 53 }, "a")],
    ["80>a:8080", "8080>a:8080"],
  ],
];

for (const [title, ports, slices, expected] of table) {
  test(`headlessPorts() gives ${title}`, () => assert.deepEqual(listened(service(ports), slices), expected));
}

test("seenPorts() keeps the numbers while no pod is listed, and drops one that no listed pod has", () => {
  const object = service([web]);
  const before = seenPorts(object, [slice("s", { web: 8080 }, "a"), slice("t", { web: 8081 }, "b")]);
  assert.deepEqual(listened(object, [], before), ["80>", "8080>", "8081>"]);
  // The controller of slices empties the ports with the endpoints.
  const empty = seenPorts(object, [slice("s", {}, "")], before);
  assert.deepEqual(listened(object, [], empty), ["80>", "8080>", "8081>"]);
  assert.deepEqual(listened(object, [slice("s", { web: 8081 }, "!b")], empty), ["80>", "8081>"]);
});

test("seenPorts() begins anew when the ports change or the Service is another", () => {
  const before = seenPorts(service([web]), [slice("s", { web: 8080 }, "a")]);
  assert.deepEqual(listened(service([{ ...web, port: 81 }]), [], before), ["81>"]);
  assert.deepEqual(listened(service([web], "u2"), [], before), ["80>"]);
});

test("podsWithNames() gives each host name its own endpoints, from all slices", () => {
  const slices = [slice("s", { web: 8080 }, "a !b"), slice("t", { web: 8081 }, "a c")];
  const found = podsWithNames(slices).map(({ hostname, slices: own }) => {
    return `${hostname} ${own.map(({ ports, endpoints }) => `${ports[0]?.port}x${endpoints.length}`).join(" ")}`;
  });
  assert.deepEqual(found, ["a 8080x1 8081x1", "b 8080x1", "c 8081x1"]);
});

test("podsWithNames() leaves out endpoints without a host name, with a bad one, and those that are no pods", () => {
  const [a, b] = slice("s", { web: 8080 }, "a b").endpoints;
  assert.ok(a !== undefined && b !== undefined);
  const { hostname: _hostname, ...nameless } = a;
  const { pod: _pod, ...podless } = b;
  const endpoints = [nameless, podless, { ...a, hostname: "A.b" }, { ...a, hostname: "" }];
  assert.deepEqual(podsWithNames([{ ...slice("s", {}, ""), endpoints }]), []);
});
