import assert from "node:assert/strict";
import { test } from "node:test";
import { port } from "../model/port.ts";
import type { EndpointSlice, SliceEndpoint, SlicePort } from "./endpoint-slice.ts";
import { readyEndpoints } from "./ready-endpoints.ts";

const web: SlicePort = { name: "web", protocol: "TCP", port: port(8080) };

/** One letter a pod: upper case is its state. R ready, N not ready, T terminating and serving, D terminating only. */
function endpoint(state: string, uid: string): SliceEndpoint {
  const conditions = {
    ready: state === "R",
    serving: state === "R" || state === "T",
    terminating: state === "T" || state === "D",
  };
  return { addresses: ["10.0.0.1"], ...conditions, pod: { namespace: "shop", name: `pod-${uid}`, uid } };
}

/** "Ra Tb" is a slice with two endpoints. */
function slice(text: string, ports: readonly SlicePort[] = [web]): EndpointSlice {
  const endpoints = text.split(" ").map((word) => endpoint(word.slice(0, 1), word.slice(1)));
  return { namespace: "shop", name: "s", uid: "s", service: "cart", addressType: "IPv4", ports, endpoints };
}

const table: readonly [title: string, slices: readonly EndpointSlice[], all: boolean, expected: readonly string[]][] = [
  ["nothing without slices", [], false, []],
  ["ready pods in the order of the slices", [slice("Rb Na"), slice("Ra")], false, ["b:8080", "a:8080"]],
  ["a pod once, however often it is named", [slice("Ra Rb"), slice("Rb Ra")], false, ["a:8080", "b:8080"]],
  ["a pod that one slice calls ready and another not", [slice("Na"), slice("Ra")], false, ["a:8080"]],
  ["no terminating pod while one is ready", [slice("Ta Rb Tc")], false, ["b:8080"]],
  ["terminating pods that serve if none is ready", [slice("Ta Db Nc")], false, ["a:8080"]],
  ["no pod that only terminates or is not ready", [slice("Da Nb")], false, []],
  ["every pod if the Service publishes them", [slice("Na Rb"), slice("Dc")], true, ["a:8080", "b:8080", "c:8080"]],
  ["each slice's own port", [slice("Ra"), slice("Rb", [{ ...web, port: port(81) }])], false, ["a:8080", "b:81"]],
  ["nothing from a port of another name", [slice("Ra", [{ ...web, name: "metrics" }])], false, []],
  ["nothing from a port of another protocol", [slice("Ra", [{ ...web, protocol: "UDP" }])], false, []],
];

for (const [title, slices, publishNotReadyAddresses, expected] of table) {
  test(`readyEndpoints() gives ${title}`, () => {
    const endpoints = readyEndpoints({ name: "web", protocol: "TCP" }, slices, { publishNotReadyAddresses });
    assert.deepEqual(
      endpoints.map(({ pod, port }) => `${pod.uid}:${port}`),
      expected,
    );
  });
}

test("readyEndpoints() leaves out endpoints that are no pods", () => {
  const { pod: _pod, ...rest } = endpoint("R", "a");
  const slices = [{ ...slice("Rb"), endpoints: [rest] }];
  assert.deepEqual(readyEndpoints(web, slices, { publishNotReadyAddresses: false }), []);
});

test("readyEndpoints() takes of each slice the port of that name alone: families may have different sets", () => {
  const admin: SlicePort = { name: "admin", protocol: "TCP", port: port(9090) };
  const four = slice("Ra Rb", [web, admin]);
  const six = { ...slice("Ra Rc", [web]), addressType: "IPv6" as const };
  const podsOf = (name: string) =>
    readyEndpoints({ name, protocol: "TCP" }, [six, four], { publishNotReadyAddresses: false }).map(
      (found) => `${found.pod.uid}:${found.port}`,
    );
  assert.deepEqual(podsOf("web"), ["a:8080", "c:8080", "b:8080"]);
  assert.deepEqual(podsOf("admin"), ["a:9090", "b:9090"]);
});

test("readyEndpoints() asks for each port by itself whether a pod is ready", () => {
  const admin: SlicePort = { name: "admin", protocol: "TCP", port: port(9090) };
  const slices = [slice("Ra Tb", [web]), slice("Tb", [admin])];
  const podsOf = (name: string) =>
    readyEndpoints({ name, protocol: "TCP" }, slices, { publishNotReadyAddresses: false }).map(({ pod }) => pod.uid);
  assert.deepEqual([podsOf("web"), podsOf("admin")], [["a"], ["b"]]);
});

test("readyEndpoints() takes a pod's successor of the same name for another pod", () => {
  const successor = { ...endpoint("R", "b"), pod: { namespace: "shop", name: "pod-a", uid: "b" } };
  const slices = [{ ...slice("Ta"), endpoints: [endpoint("T", "a"), successor] }];
  assert.deepEqual(
    readyEndpoints(web, slices, { publishNotReadyAddresses: false }).map(({ pod }) => pod.uid),
    ["b"],
  );
});
