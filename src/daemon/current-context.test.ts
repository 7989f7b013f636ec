import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Logger } from "../log.ts";
import { CurrentContext } from "./current-context.ts";

function setup(start: Readonly<Record<string, string>> = { "/a": "current-context: a" }, { isNamed = false } = {}) {
  const clock = new FakeClock();
  const files: Record<string, string | undefined> = { ...start };
  const lines: string[] = [];
  const log = new Logger(({ level, message, fields }) => lines.push(`${level} ${message} ${fields.current}`));
  let reads = 0;
  let whileReading = () => {};
  const readFile = async (path: string) => {
    reads++;
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    whileReading();
    return Buffer.from(text);
  };
  const env = { KUBECONFIG: Object.keys(start).join(":") };
  const kubeconfig = { env, home: "/home/me", readFile };
  const served = { contextName: "a", server: new URL("https://127.0.0.1:6443"), userName: "u" };
  const context = new CurrentContext(
    { clock, log, markOf: async (path) => files[path] },
    { kubeconfig, served, isNamed },
  );
  const look = async () => {
    await clock.advance(5_000);
    await turns();
  };
  const during = (work: () => void) => {
    whileReading = work;
  };
  return { clock, files, lines, context, look, during, reads: () => reads };
}

test("CurrentContext says nothing, and reads nothing again, while the files stay", async () => {
  const t = setup();
  await t.look();
  assert.equal(t.reads(), 1);
  await t.look();
  await t.look();
  assert.equal(t.reads(), 1);
  assert.equal(t.context.notice, undefined);
  assert.deepEqual(t.lines, []);
  await t.context[Symbol.asyncDispose]();
  assert.equal(t.clock.pending, 0);
});

test("CurrentContext gives a notice and one line of log a change, and takes the notice back", async () => {
  const t = setup();
  await t.look();
  t.files["/a"] = "current-context: b";
  await t.look();
  await t.look();
  assert.equal(t.context.notice, `The kubeconfig's current context is now "b"; this daemon serves "a"`);
  t.files["/a"] = "current-context: b # the same";
  await t.look();
  assert.deepEqual(t.lines, ["warn The kubeconfig's current context is not the one that is served b"]);
  t.files["/a"] = "current-context: a";
  await t.look();
  assert.equal(t.context.notice, undefined);
  assert.deepEqual(t.lines.slice(1), ["info The kubeconfig's current context is the served one again a"]);
  await t.context[Symbol.asyncDispose]();
});

test("CurrentContext merges the files of KUBECONFIG, of which one may come and go", async () => {
  const t = setup({ "/x": "current-context: b", "/a": "current-context: a" });
  t.files["/x"] = undefined;
  await t.look();
  assert.equal(t.context.notice, undefined);
  t.files["/x"] = "current-context: b";
  await t.look();
  assert.match(t.context.notice ?? "", /now "b"/);
  t.files["/x"] = undefined;
  await t.look();
  assert.equal(t.context.notice, undefined);
  await t.context[Symbol.asyncDispose]();
});

for (const [title, text] of [
  ["gone", undefined],
  ["cut off", ""],
  ["half written", "current-context: b\nusers: [{"],
  ["without a current context", "contexts: []"],
] as const) {
  test(`CurrentContext keeps what it knew when the file is ${title}, and looks again`, async () => {
    const t = setup();
    t.files["/a"] = "current-context: b";
    await t.look();
    t.files["/a"] = text;
    await t.look();
    assert.match(t.context.notice ?? "", /now "b"/);
    t.files["/a"] = "current-context: a";
    await t.look();
    assert.equal(t.context.notice, undefined);
    await t.context[Symbol.asyncDispose]();
  });
}

test("CurrentContext does not believe a file that changed while it was read", async () => {
  const t = setup();
  t.files["/a"] = "current-context: prod";
  t.during(() => {
    t.files["/a"] = "current-context: production";
    t.during(() => {});
  });
  await t.look();
  assert.equal(t.context.notice, undefined);
  await t.look();
  assert.match(t.context.notice ?? "", /now "production"/);
  assert.equal(t.lines.length, 1);
  await t.context[Symbol.asyncDispose]();
});

test("CurrentContext reads nothing again while the file stays without a current context, or broken", async () => {
  for (const text of ["contexts: []", "current-context: b\nusers: [{", ""]) {
    const t = setup();
    await t.look();
    t.files["/a"] = text;
    await t.look();
    const reads = t.reads();
    await t.look();
    await t.look();
    assert.equal(t.reads(), reads, JSON.stringify(text));
    await t.context[Symbol.asyncDispose]();
  }
});

/** A kubeconfig whose context a leads there. */
function leading(server: string, user = "u", current = "a"): string {
  return `
current-context: ${current}
contexts: [{name: a, context: {cluster: c, user: ${user}}}, {name: b, context: {}}]
clusters: [{name: c, cluster: {server: ${JSON.stringify(server)}}}]
users: [{name: u, user: {}}, {name: v, user: {}}]`;
}

for (const isNamed of [false, true]) {
  test(`CurrentContext gives a notice while the served context ${isNamed ? "that was named " : ""}leads elsewhere`, async () => {
    const t = setup({ "/a": leading("https://127.0.0.1:6443/") }, { isNamed });
    await t.look();
    assert.equal(t.context.notice, undefined);
    t.files["/a"] = leading("https://127.0.0.1:7000");
    await t.look();
    const elsewhere = `The kubeconfig's context "a" now leads to https://127.0.0.1:7000; this daemon serves https://127.0.0.1:6443`;
    assert.equal(t.context.notice, elsewhere);
    t.files["/a"] = "contexts: []";
    await t.look();
    assert.equal(t.context.notice, elsewhere, "it leads nowhere");
    t.files["/a"] = leading("https://127.0.0.1:6443", "v");
    await t.look();
    assert.equal(t.context.notice, `The kubeconfig's context "a" now leads to the user "v"; this daemon acts as "u"`);
    t.files["/a"] = leading("https://127.0.0.1:7000", "u", "b");
    await t.look();
    if (isNamed) assert.equal(t.context.notice, elsewhere);
    else assert.match(t.context.notice ?? "", /current context is now "b"/);
    t.files["/a"] = leading("https://127.0.0.1:6443");
    await t.look();
    assert.equal(t.context.notice, undefined);
    await t.context[Symbol.asyncDispose]();
  });
}
