import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { test } from "node:test";
import { networkAddresses } from "./network-addresses.ts";

test("networkAddresses() leaves out loopback and what comes and goes with containers", () => {
  const info = (address: string, internal = false): NetworkInterfaceInfo => ({
    ...{ address, internal, netmask: "", mac: "", cidr: null },
    ...(address.includes(":") ? { family: "IPv6", scopeid: 0 } : { family: "IPv4" }),
  });
  const interfaces = {
    lo: [info("127.0.0.1", true), info("::1", true)],
    eth0: [info("10.0.0.5"), info("fe80::1"), info("2001:db8::5"), info("169.254.3.4")],
    gone: undefined,
  };
  assert.deepEqual(
    networkAddresses(() => interfaces),
    new Set(["10.0.0.5", "2001:db8::5"]),
  );
});
