import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openFakeDaemon, someCluster, temporaryFolder } from "../../../test/rpc/fake-daemon.ts";
import { endLines, exposedCart, line, saying, startLines, ToldLines } from "../../../test/rpc/fake-exposure.ts";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import { until } from "../../../test/support/event-loop.ts";
import { type ErrorCode, LocalizerError } from "../../errors.ts";
import type { ExposeWish, StopExposeWish } from "../../rpc/exposing.ts";
import type { DaemonState } from "../../server/daemon-state.ts";
import { exitCodes } from "../exit-code.ts";
import { main } from "../main.ts";

/** Runs it against a daemon whose starts and ends go well, and gives what was asked for and printed. */
async function run(argv: readonly string[], state: Partial<DaemonState> = {}, env: NodeJS.ProcessEnv = {}) {
  const wishes: (ExposeWish | StopExposeWish)[] = [];
  await using daemon = await openFakeDaemon({
    expose(wish) {
      wishes.push(wish);
      return saying(startLines);
    },
    stopExpose(wish) {
      wishes.push(wish);
      return saying(endLines);
    },
    ...state,
  });
  const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath, ...env });
  const code = await main(["expose", ...argv], io);
  return { code, out: io.out(), err: io.err(), wishes, left: io.listening() };
}

const lines = [
  "Deployment cart will be scaled from 2 to 0",
  "Warning: HorizontalPodAutoscaler cart stops adjusting meanwhile",
  'Service "shop/cart" leads to this machine: port 80 (http) to 127.0.0.1:8080',
  "Give it back with: localizer expose shop/cart --stop",
  "",
];

describe("expose", () => {
  it("prints a line for each step as it comes, warnings marked, and ends with what leads where", async () => {
    const { code, out, err, left } = await run(["shop/cart", "--map", "8080:80"]);
    assert.deepEqual([code, err, left], [0, "", 0]);
    assert.deepEqual(out.split("\n"), lines);
  });

  it("says what leads where by itself when the daemon does not", async () => {
    const state = { expose: () => saying(startLines.slice(0, 1)), exposures: () => [exposedCart] };
    const { out } = await run(["shop/cart"], state);
    const [, leads] = out.split("\n");
    assert.equal(leads, 'Service "shop/cart" leads to this machine: port 80 (http) to localhost:8080');
    const unknown = await run(["shop/cart"], { ...state, exposures: () => [] });
    assert.match(unknown.out, /^Service "shop\/cart" is exposed$/m);
  });

  it("asks for all that the flags say", async () => {
    const { wishes } = await run([
      ...[
        "shop/cart",
        "--map",
        "8080:80",
        "--map=9090:grpc,7000",
        "--yes",
        "--take-over",
        "--allow-volume-loss",
        "--allow-partial",
      ],
      ...["--image", "example.org/sshd:1", "--pull-secret", "a", "--pull-secret", "b", "--pod-label", "team=shop"],
      ...["--pod-annotation", "note=a,b=c", "--pod-annotation", "empty=", "--mesh", "inherit"],
      ...["--cpu-request", "10m", "--cpu-limit", "1", "--memory-request", "32Mi", "--memory-limit", "256Mi"],
    ]);
    assert.deepEqual(wishes, [
      {
        ...{ namespace: "shop", service: "cart", portMaps: ["8080:80", "9090:grpc", "7000"] },
        ...{ dryRun: false, yes: true, takeOver: true, allowVolumeLoss: true, allowPartial: true, awaitLocal: false },
        pod: {
          ...{ image: "example.org/sshd:1", pullSecrets: ["a", "b"], labels: { team: "shop" } },
          ...{ annotations: { note: "a,b=c", empty: "" }, mesh: "inherit" },
          ...{ cpuRequest: "10m", cpuLimit: "1", memoryRequest: "32Mi", memoryLimit: "256Mi" },
        },
      },
    ]);
  });

  it("takes the pod's settings from the environment, but neither ports nor consent", async () => {
    const names = [
      "YES",
      "TAKE_OVER",
      "ALLOW_VOLUME_LOSS",
      "ALLOW_PARTIAL",
      "DRY_RUN",
      "STOP",
      "FOREGROUND",
      "NO_WAIT",
    ];
    const consents = Object.fromEntries(names.map((name) => [`LOCALIZER_${name}`, "true"]));
    const env = { ...consents, LOCALIZER_MAP: "1:2", LOCALIZER_IMAGE: "sshd:2", LOCALIZER_POD_LABEL: "a=b,c=d" };
    const { wishes } = await run(["shop/cart"], {}, env);
    assert.partialDeepStrictEqual(wishes, [
      {
        ...{ portMaps: [], dryRun: false, yes: false, takeOver: false, allowVolumeLoss: false, allowPartial: false },
        pod: { image: "sshd:2", labels: { a: "b", c: "d" } },
      },
    ]);
  });

  it("means the namespace of --namespace, else the context's, where none is typed", async () => {
    const asked = async (argv: readonly string[], namespace: string) => {
      const cluster = () => ({ ...someCluster.cluster(), namespace });
      return (await run(argv, { cluster })).wishes.map((wish) => `${wish.namespace}/${wish.service}`);
    };
    assert.deepEqual(await asked(["cart"], "shop"), ["shop/cart"]);
    assert.deepEqual(await asked(["cart"], ""), ["default/cart"]);
    assert.deepEqual(await asked(["cart", "--namespace", "bank"], "shop"), ["bank/cart"]);
    assert.deepEqual(await asked(["bank/cart", "--namespace", "shop"], ""), ["bank/cart"]);
    assert.deepEqual(await asked(["cart", "--stop"], "shop"), ["shop/cart"]);
    const two = await run(["cart", "--namespace", "a", "--namespace", "b"]);
    assert.equal(two.code, 2);
    assert.match(two.err, /--namespace names more than one, want NAMESPACE\/cart$/m);
  });

  it("says after a dry run that nothing was changed", async () => {
    const { code, out, wishes } = await run(["shop/cart", "--dry-run"], {});
    assert.equal(code, 0);
    assert.match(out, /Nothing was changed\n$/);
    assert.partialDeepStrictEqual(wishes, [{ dryRun: true }]);
  });

  it("gives back with --stop", async () => {
    const { code, out, wishes } = await run(["--stop", "shop/cart", "--no-wait"]);
    assert.equal(code, 0);
    assert.equal(out, 'Deployment cart is set to 2 again\nService "shop/cart" is as it was\n');
    assert.deepEqual(wishes, [{ namespace: "shop", service: "cart", noWait: true, session: "" }]);
    const short = await run(["shop/cart", "--stop"], { stopExpose: () => saying([]) });
    assert.equal(short.out, 'Service "shop/cart" is given back\n');
  });

  it("exits with the code of what the daemon refuses, with its sentence", async () => {
    const codes: readonly ErrorCode[] = [
      "usage",
      "not-found",
      "denied",
      "timeout",
      "conflict",
      "unavailable",
      "internal",
    ];
    for (const code of codes) {
      const fails = () => saying([line("preflight", "Looking")], new LocalizerError(code, "So it is"));
      const state = { expose: fails, stopExpose: fails };
      for (const argv of [["shop/cart"], ["shop/cart", "--stop"], ["shop/cart", "--foreground"]]) {
        const refused = await run(argv, state);
        assert.deepEqual([refused.code, refused.out, refused.left], [exitCodes[code], "Looking\n", 0]);
        assert.match(refused.err, /^localizer: So it is\n/);
      }
    }
  });

  it("exits with 3 and says how a daemon is started when there is none", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    for (const argv of [["shop/cart"], ["cart"], ["shop/cart", "--stop"], ["shop/cart", "--foreground"]]) {
      const io = fakeIo({ LOCALIZER_SOCKET: socketPath });
      assert.equal(await main(["expose", ...argv], io), 3);
      assert.match(
        io.err(),
        /^localizer: No daemon answers on .*; start it with `localizer`\n {2}If it listens elsewhere/,
      );
    }
  });

  it("exits with 2 and one sentence for words that do not go together", async () => {
    const cases: readonly (readonly [argv: readonly string[], sentence: RegExp])[] = [
      [[], /Cannot expose without a Service: want NAMESPACE\/SERVICE, or SERVICE alone/],
      [["--stop"], /Cannot expose without a Service/],
      [["a/b/c"], /Cannot expose "a\/b\/c": want/],
      [["a/b/c", "--stop"], /Cannot stop exposing "a\/b\/c": want/],
      [["a", "b"], /Cannot use "b": too many words/],
      ...[
        "--map=1:2",
        "--dry-run",
        "--yes",
        "--take-over",
        "--allow-volume-loss",
        "--allow-partial",
        "--foreground",
      ].map((flag) => [["a", "--stop", flag], new RegExp(`--stop together with ${flag.replace("=1:2", "")}`)] as const),
      [["a", "--stop", "--", "true"], /--stop together with a program/],
      [["a", "--dry-run", "--", "true"], /--dry-run together with a program/],
      [["a", "--dry-run", "--foreground"], /--dry-run together with --foreground/],
      [["a", "--no-wait"], /Cannot use --no-wait for a start/],
      [["a", "--mesh", "istio"], /Cannot use "istio" for --mesh: want off or inherit/],
      [["a", "--pod-label", "x"], /Cannot use "x" for --pod-label: want KEY=VALUE/],
      [["a", "--pod-annotation", "=x"], /Cannot use "=x" for --pod-annotation: want KEY=VALUE/],
      [["a", "--map"], /Flag "--map" needs a value/],
    ];
    for (const [argv, sentence] of cases) {
      const { code, out, err, wishes } = await run(argv);
      assert.deepEqual([code, out, wishes.length], [2, "", 0], argv.join(" "));
      assert.match(err, sentence);
      assert.match(err, /Run "localizer expose --help" to see what there is\n$/);
    }
  });

  it("leaves it to the daemon when it is interrupted, and says so", async () => {
    for (const argv of [["shop/cart"], ["shop/cart", "--stop"]]) {
      const told = new ToldLines();
      await using daemon = await openFakeDaemon({ expose: () => told, stopExpose: () => told });
      const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
      told.say(line("preflight", "Looking"));
      const running = main(["expose", ...argv], io);
      await until(() => io.out() !== "");
      io.ask("SIGINT");
      assert.equal(await running, 1);
      assert.match(io.err(), /^localizer: Left to the daemon, which goes on with "shop\/cart": "localizer list" shows/);
      assert.equal(told.cancelled, false);
      told.end();
    }
  });

  it("lets no line of a cluster write over the terminal", async () => {
    const { out } = await run(["shop/cart"], { expose: () => saying([line("exposed", "a\n\u001b[2Jb", "error")]) });
    assert.match(out, /^Error: a \[2Jb\n/);
  });
});
