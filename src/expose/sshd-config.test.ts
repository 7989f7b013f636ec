import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codeOf } from "../errors.ts";
import { port } from "../model/port.ts";
import { sshdConfig, sshPort } from "./sshd-config.ts";

const ports = (...numbers: readonly number[]) => numbers.map(port);

/** The values of a keyword, in their order. */
function values(text: string, keyword: string): readonly string[] {
  const lines = text.trimEnd().split("\n");
  return lines.filter((line) => line.startsWith(`${keyword} `)).map((line) => line.slice(keyword.length + 1));
}

test("sshPort() is 2222 unless a target port is that", () => {
  assert.equal(sshPort(ports(80, 8080)), 2222);
  assert.equal(sshPort(ports(2223, 2222)), 2224);
});

test("sshPort() is never a target port", () => {
  const target = fc.integer({ min: 2215, max: 2235 });
  fc.assert(
    fc.property(fc.array(target, { maxLength: 30 }), (targets) => {
      const chosen = sshPort(ports(...targets));
      assert.ok(chosen >= 2222 && !targets.includes(chosen));
    }),
  );
});

test("sshPort() says so when no port is left", () => {
  const all = Array.from({ length: 65_536 - 2222 }, (_, index) => port(2222 + index));
  assert.throws(
    () => sshPort(all),
    (error) => codeOf(error) === "usage",
  );
});

test("sshdConfig() listens on loopback only", () => {
  const text = sshdConfig(ports(8080), port(2222));
  assert.deepEqual(values(text, "ListenAddress"), ["127.0.0.1", "::1"]);
  assert.deepEqual(values(text, "Port"), ["2222"]);
});

test("sshdConfig() allows remote forwarding to the target ports and nothing else", () => {
  const text = sshdConfig(ports(8080, 80, 8080), port(2222));
  assert.deepEqual(values(text, "PermitListen"), ["8080 80"]);
  assert.deepEqual(values(text, "AllowTcpForwarding"), ["remote"]);
  assert.deepEqual(values(text, "PermitOpen"), ["none"]);
  assert.deepEqual(values(text, "MaxSessions"), ["0"]);
  for (const keyword of ["AllowStreamLocalForwarding", "AllowAgentForwarding", "X11Forwarding", "PermitTunnel"]) {
    assert.deepEqual(values(text, keyword), ["no"], keyword);
  }
});

test("sshdConfig() lets one user in, with a key", () => {
  const text = sshdConfig(ports(8080), port(2222));
  assert.deepEqual(values(text, "AuthenticationMethods"), ["publickey"]);
  assert.deepEqual(values(text, "AllowUsers"), ["localizer"]);
  for (const keyword of ["PasswordAuthentication", "KbdInteractiveAuthentication", "PermitRootLogin"]) {
    assert.deepEqual(values(text, keyword), ["no"], keyword);
  }
});

test("sshdConfig() names no option that some builds do not know, and none twice but the addresses", () => {
  const keywords = sshdConfig(ports(8080), port(2222))
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  for (const keyword of ["PerSourcePenalties", "UsePAM", "PrintLastLog"]) assert.ok(!keywords.includes(keyword));
  const once = keywords.filter((keyword) => keyword !== "ListenAddress");
  assert.equal(new Set(once).size, once.length);
});
