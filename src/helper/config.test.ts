import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultSocketLink } from "../model/socket-link.ts";
import { helperArgv, helperConfig, hostsInstance } from "./config.ts";

const user = { uid: 1000, gid: 1000 };

test("helperConfig() has the system's places unless the command line says otherwise", () => {
  const { range, ...places } = helperConfig({}, user);
  assert.deepEqual(range, { first: 127 * 2 ** 24, size: 2 ** 24 });
  assert.deepEqual(places, {
    hostsFile: "/etc/hosts",
    socketLink: defaultSocketLink,
    stateDir: "/var/lib/localizer",
    runtimeBase: "/run",
    user,
  });
});

test("helperConfig() throws usage for a range outside 127.0.0.0/8", () => {
  assert.throws(() => helperConfig({ range: "10.0.0.0/8" }, user), { code: "usage" });
});

test("helperConfig() throws usage for a path that is not absolute and for a range of the machine's own", () => {
  for (const given of [{ hostsFile: "hosts" }, { socketLink: "./s" }, { stateDir: "" }, { range: "127.0.0.0/16" }]) {
    assert.throws(() => helperConfig(given, user), { code: "usage" });
  }
});

test("helperArgv() names only what was given", () => {
  assert.deepEqual(helperArgv({ hostsFile: "/h", range: undefined }), ["--hosts-file=/h"]);
});

test("hostsInstance() differs between sockets", () => {
  assert.equal(hostsInstance(defaultSocketLink), "default");
  assert.match(hostsInstance("/run/other.sock"), /^[0-9a-f]{12}$/);
});
