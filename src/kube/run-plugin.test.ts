import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakePlugin } from "../../test/support/fake-plugin.ts";
import { LocalizerError } from "../errors.ts";
import { type ExecPlugin, type InteractiveMode, parseExecPlugin } from "./exec-plugin.ts";
import { runPlugin } from "./run-plugin.ts";

interface Setup {
  readonly mode?: InteractiveMode;
  readonly terminal?: boolean;
  readonly obeys?: boolean;
  readonly exec?: object;
}

function setup({ mode = "Never", terminal = false, obeys = true, exec = {} }: Setup = {}) {
  const clock = new FakeClock();
  const fake = new FakePlugin({ obeys });
  const shown: string[] = [];
  const stop = new AbortController();
  const host = {
    clock,
    start: fake.start,
    env: {},
    hasTerminal: () => terminal,
    show: (chunk: Uint8Array) => shown.push(Buffer.from(chunk).toString()),
  };
  const value = {
    exec: { apiVersion: "client.authentication.k8s.io/v1", command: "aws", interactiveMode: mode, ...exec },
  };
  const plugin: ExecPlugin = parseExecPlugin("joe", { value, folder: "/etc" }, {});
  const printed = runPlugin(host, plugin, stop.signal);
  printed.catch(() => {});
  return { clock, fake, shown, stop, printed };
}

function fails(sentence: RegExp | string, code = "unauthenticated") {
  return (error: unknown) => {
    assert.ok(error instanceof LocalizerError);
    assert.equal(error.code, code);
    if (typeof sentence === "string") assert.equal(error.message, sentence);
    else assert.match(error.message, sentence);
    return true;
  };
}

test("runPlugin() returns what was printed, shows stderr as it comes, and leaves no timer", async () => {
  const t = setup();
  t.fake.last.stdout('{"a":');
  t.fake.last.stderr("open the browser\n");
  t.fake.last.stdout("1}");
  t.fake.last.end(0);
  assert.equal(await t.printed, '{"a":1}');
  assert.deepEqual(t.shown, ["open the browser\n"]);
  assert.equal(t.clock.pending, 0);
});

test("runPlugin() fails with the exit code and the last lines of stderr, harmless for a terminal", async () => {
  const t = setup();
  t.fake.last.stderr("x\n".repeat(4000));
  t.fake.last.stderr("warning: a\r\n\n\u001b[31mno session\u001b[0m\u0007\nrun \u001b]0;aws sso login\n");
  t.fake.last.end(255);
  await assert.rejects(
    t.printed,
    fails('needs login: "aws" ended with exit code 255: warning: a / no session / run  ]0;aws sso login'),
  );
});

test("runPlugin() says by which signal it was ended", async () => {
  const t = setup();
  t.fake.last.end(null, "SIGKILL");
  await assert.rejects(t.printed, fails('needs login: "aws" was ended by SIGKILL'));
});

const starts: readonly (readonly [code: string, exec: object, sentence: RegExp | string])[] = [
  [
    "ENOENT",
    { installHint: "Get it from\n  \u001b[1mexample.com" },
    'needs the plug-in "aws", which does not exist on PATH: Get it from example.com',
  ],
  ["ENOENT", { command: "./bin/aws" }, 'needs the plug-in "./bin/aws", which does not exist at "/etc/bin/aws"'],
  ["ENOENT", { command: "/bin/aws" }, 'needs the plug-in "/bin/aws", which does not exist'],
  ["EACCES", { command: "/bin/aws" }, 'needs the plug-in "/bin/aws", which may not be run by this user'],
  ["EMFILE", {}, /needs the plug-in "aws", which cannot be started: EMFILE/],
];

for (const [code, exec, sentence] of starts) {
  test(`runPlugin() says what to do when the system answers ${code} for ${JSON.stringify(exec)}`, async () => {
    const t = setup({ exec });
    t.fake.last.fail(code);
    await assert.rejects(t.printed, fails(sentence));
    assert.equal(t.clock.pending, 0);
  });
}

for (const [mode, terminal, interactive] of [
  ["Never", true, false],
  ["IfAvailable", true, true],
  ["IfAvailable", false, false],
  ["Always", true, true],
] as const) {
  test(`runPlugin() ${interactive ? "lends" : "keeps"} stdin for ${mode} ${terminal ? "with" : "without"} a terminal`, async () => {
    const t = setup({ mode, terminal });
    assert.equal(t.fake.last.command.interactive, interactive);
    assert.equal(t.fake.last.command.sharesTerminal, terminal);
    t.fake.last.end(0);
    await t.printed;
  });
}

test("runPlugin() refuses Always without a terminal, and starts nothing", async () => {
  const t = setup({ mode: "Always" });
  await assert.rejects(t.printed, fails(/^needs login in a terminal: its plug-in "aws" asks for a terminal/));
  assert.equal(t.fake.runs.length, 0);
});

for (const terminal of [false, true]) {
  test(`runPlugin() ends it after 10 min, by force 2 s later, ${terminal ? "with" : "without"} a terminal`, async () => {
    const t = setup({ mode: "IfAvailable", terminal, obeys: false });
    await t.clock.advance(600_000 - 1);
    assert.deepEqual(t.fake.last.kills, []);
    await t.clock.advance(1);
    assert.deepEqual(t.fake.last.kills, ["SIGTERM"]);
    await t.clock.advance(2_000);
    assert.deepEqual(t.fake.last.kills, ["SIGTERM", "SIGKILL"]);
    await assert.rejects(t.printed, fails('needs login: "aws" gave no answer within 10 min'));
    assert.equal(t.clock.pending, 0);
  });
}

test("runPlugin() ends it when the signal fires, and waits until it is gone", async () => {
  const t = setup({ obeys: false });
  t.stop.abort();
  assert.deepEqual(t.fake.last.kills, ["SIGTERM"]);
  let isOver = false;
  t.printed.catch(() => {
    isOver = true;
  });
  await turns();
  assert.equal(isOver, false);
  t.fake.last.end(0);
  await assert.rejects(t.printed, fails(/./, "aborted"));
});

test("runPlugin() ends one that prints without end", async () => {
  const t = setup();
  t.fake.last.stdout("x".repeat((1 << 20) + 1));
  assert.deepEqual(t.fake.last.kills, ["SIGTERM"]);
  await assert.rejects(t.printed, fails('needs login: "aws" printed more than 1 MiB'));
});
