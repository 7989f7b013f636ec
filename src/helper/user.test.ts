import assert from "node:assert/strict";
import { test } from "node:test";
import {
  markedUser,
  plainRootEnvironment,
  plainRootRefusal,
  plainRootVariable,
  plainRootWarning,
  requestedUser,
  userEnvironment,
  userPartVariable,
} from "./user.ts";

const alice = { uid: 4_000_000, gid: 50, name: "alice", home: "/home/alice" };

test("requestedUser() takes the flag, then who called sudo, pkexec or doas", () => {
  const sudo = { SUDO_UID: "1000", SUDO_GID: "100" };
  assert.deepEqual(requestedUser("bob", sudo), { user: "bob" });
  assert.deepEqual(requestedUser("1001", sudo), { user: 1001 });
  assert.deepEqual(requestedUser(undefined, sudo), { user: 1000, gid: 100 });
  assert.deepEqual(requestedUser(undefined, { PKEXEC_UID: "1002" }), { user: 1002 });
  assert.deepEqual(requestedUser(undefined, { DOAS_USER: "carol" }), { user: "carol" });
});

test("requestedUser() finds nobody where root called, or where a variable is no number", () => {
  for (const env of [{}, { SUDO_UID: "0" }, { SUDO_UID: "x" }, { DOAS_USER: "root" }]) {
    assert.equal(requestedUser(undefined, env), undefined);
  }
});

test("userEnvironment() keeps what is the user's and drops what changes how Node or the loader start", () => {
  const env = {
    PATH: "/bin",
    KUBECONFIG: "/k",
    NODE_EXTRA_CA_CERTS: "/ca",
    NODE_OPTIONS: "--require=x",
    LD_PRELOAD: "x",
    DYLD_INSERT_LIBRARIES: "x",
    SUDO_COMMAND: "x",
    XDG_RUNTIME_DIR: "/run/user/0",
    HOME: "/root",
  };
  assert.deepEqual(userEnvironment(env, alice), {
    PATH: "/bin",
    KUBECONFIG: "/k",
    NODE_EXTRA_CA_CERTS: "/ca",
    HOME: "/home/alice",
    USER: "alice",
    LOGNAME: "alice",
  });
});

test("markedUser() reads back the marker, and throws on anything else", () => {
  assert.deepEqual(markedUser({ [userPartVariable]: JSON.stringify(alice) }), alice);
  assert.throws(() => markedUser({}), { code: "internal" });
  assert.throws(() => markedUser({ [userPartVariable]: JSON.stringify({ ...alice, uid: "0" }) }), { code: "internal" });
});

test("plainRootRefusal() refuses as plain root only, names both ways out, and heeds the flag", () => {
  const asRoot = { [plainRootVariable]: "1" };
  assert.match(plainRootRefusal(asRoot, false) ?? "", /--user.*--allow-root-exec/);
  assert.deepEqual([plainRootRefusal(asRoot, true), plainRootRefusal({}, false)], [undefined, undefined]);
});

test("plainRootEnvironment() leaves root its own home and session, and marks that nobody was named", () => {
  const env = { HOME: "/x", XDG_RUNTIME_DIR: "/run/user/0", NODE_OPTIONS: "--no-warnings" };
  assert.deepEqual(plainRootEnvironment(env), { ...env, [plainRootVariable]: "1" });
  assert.match(plainRootWarning(plainRootEnvironment(env)) ?? "", /^Working as root: .* --user/);
  assert.equal(plainRootWarning(env), undefined);
});
