import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cart, ledger, openFakeDaemon, someCluster, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { fakeIo } from "../../test/rpc/fake-io.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { main, tellFailure } from "./main.ts";

describe("main() list", () => {
  it("prints the original's columns, sorted by namespace and name", async () => {
    await using daemon = await openFakeDaemon({ list: () => [cart, { ...cart, name: "basket" }, ledger] });
    const io = fakeIo();
    assert.equal(await main(["list", "--socket", daemon.socketPath], io), 0);
    assert.equal(
      io.out(),
      [
        'Context "kind", cluster "kind-kind" at https://127.0.0.1:6443/',
        "NAMESPACE   NAME     STATUS    REASON                                            ENDPOINT          IP ADDRESS   PORT(S)",
        'bank        ledger   Denied    No right to "create" pods/portforward in "bank"                     None',
        "shop        basket   Running                                                     cart-7d9f-abcde   127.1.2.3    80/TCP,9090/TCP",
        "shop        cart     Running                                                     cart-7d9f-abcde   127.1.2.3    80/TCP,9090/TCP",
        "",
      ].join("\n"),
    );
    assert.equal(io.err(), "");
  });

  it("prints JSON with -o json, and only the namespaces asked for", async () => {
    await using daemon = await openFakeDaemon();
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["-o", "json", "list", "--namespace", "shop"], io), 0);
    assert.deepEqual(JSON.parse(io.out()), {
      cluster: someCluster.cluster(),
      notices: [],
      services: [cart],
      leftOut: [],
      selector: "",
      exposures: [],
    });
  });

  it("says of a namespace that is not followed why, and not that it is empty", async () => {
    const leftOut = [{ namespace: "bar", name: "", status: "skipped", reason: "--skip-namespace bar leaves it out" }];
    await using daemon = await openFakeDaemon({ leftOut: () => leftOut });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["list", "--namespace", "bar"], io), 0);
    assert.match(io.out(), /^Namespace "bar" is left out: --skip-namespace bar leaves it out$/m);
  });

  it("says so when there is nothing", async () => {
    await using daemon = await openFakeDaemon({ list: () => [] });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["list"], io), 0);
    const head = 'Context "kind", cluster "kind-kind" at https://127.0.0.1:6443/\n';
    assert.equal(io.out(), `${head}There are no Services to show\n`);
  });

  it("exits with the code for what the daemon answered", async () => {
    await using daemon = await openFakeDaemon({
      list() {
        throw new LocalizerError("denied", 'No right to "list" services');
      },
    });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["list"], io), 5);
    assert.equal(io.out(), "");
    assert.equal(io.err(), 'localizer: No right to "list" services\n  Call it as the user who started the daemon\n');
  });
});

describe("main() ping, down", () => {
  it("pings", async () => {
    await using daemon = await openFakeDaemon();
    const io = fakeIo();
    assert.equal(await main(["ping", `--socket=${daemon.socketPath}`], io), 0);
    const which = 'Context "kind", cluster "kind-kind" at https://127.0.0.1:6443/';
    assert.equal(io.out(), `The daemon on "${daemon.socketPath}" answers\n${which}\n`);
  });

  it("stops the daemon and returns when its socket is gone", async () => {
    await using daemon = await openFakeDaemon();
    const ended = daemon.server.killed.then(() => daemon.server[Symbol.asyncDispose]());
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["down"], io), 0);
    assert.equal(io.out(), `Stopped the daemon on "${daemon.socketPath}"\n`);
    assert.equal(await main(["ping"], io), 3);
    await ended;
  });

  it("exits with 3, the socket and what to do when there is no daemon", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    for (const command of ["list", "wait", "ping", "stats", "metrics", "down"]) {
      const io = fakeIo({ LOCALIZER_SOCKET: socketPath });
      assert.equal(await main([command], io), 3);
      assert.equal(
        io.err(),
        `localizer: No daemon answers on "${socketPath}"; start it with \`localizer\`\n` +
          "  If it listens elsewhere, name its socket with --socket\n",
      );
    }
  });

  it("says after 3 s that a daemon does not answer a ping, and wait takes no longer than it may", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    const silent = createServer(() => {}).listen(socketPath);
    await once(silent, "listening");
    for (const [argv, limitMs] of [
      [["ping"], 3_000],
      [["wait", "--timeout", "1s"], 1_000],
    ] as const) {
      const clock = new FakeClock();
      const startedMs = clock.monotonic();
      const io = fakeIo({ LOCALIZER_SOCKET: socketPath }, clock);
      let code: number | undefined;
      const running = main(argv, io).then((result) => {
        code = result;
      });
      while (code === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        if (clock.pending > 0) await clock.advance(50);
      }
      await running;
      const tookMs = clock.monotonic() - startedMs;
      assert.equal(code, 6, io.err());
      assert.ok(tookMs >= limitMs && tookMs <= limitMs + 300, `${argv[0]} took ${tookMs} ms`);
    }
    silent.close();
  });

  it("describes causes that are no errors", () => {
    const said: string[] = [];
    const error = new LocalizerError("denied", "No", { cause: { httpStatus: 403 } });
    const how = { command: "", isDebug: true, stderr: (text: string) => void said.push(text) };
    assert.equal(tellFailure(error, how), 5);
    assert.deepEqual(said, ["localizer: No\n  caused by: { httpStatus: 403 }\n"]);
  });

  it("adds the causes with --log-level debug, and never a stack", async () => {
    using folder = temporaryFolder();
    const io = fakeIo({ LOCALIZER_SOCKET: join(folder.path, "s"), LOG_LEVEL: "debug" });
    assert.equal(await main(["ping"], io), 3);
    assert.match(io.err(), /^ {2}caused by: .*ENOENT/m);
    assert.doesNotMatch(io.err(), /^\s+at /m);
  });
});

describe("main() help, version, usage", () => {
  it("prints the version of package.json", async () => {
    for (const argv of [["version"], ["--version"]]) {
      const io = fakeIo();
      assert.equal(await main(argv, io), 0);
      assert.match(io.out(), /^localizer \d+\.\d+\.\d+\n$/);
    }
  });

  it("prints help for all, and for each command with its flags", async () => {
    for (const argv of [["help"], ["--help"], ["-h"]]) {
      const io = fakeIo();
      assert.equal(await main(argv, io), 0);
      for (const word of [
        "list",
        "ping",
        "down",
        "wait",
        "completion",
        "version",
        "help",
        "[$LOCALIZER_SHORT_NAMES]",
        "--kubeconfig FILE",
        "--no-helper",
        "Exit codes",
      ]) {
        assert(io.out().includes(word), word);
      }
    }
    for (const command of [
      "up",
      "list",
      "wait",
      "expose",
      "ping",
      "stats",
      "metrics",
      "down",
      "completion",
      "version",
      "help",
    ]) {
      for (const argv of [
        ["help", command],
        [command, "--help"],
        ["-h", command],
      ]) {
        const io = fakeIo();
        assert.equal(await main(argv, io), 0);
        assert(io.out().includes(`localizer ${command} [FLAGS]`));
        assert(
          io
            .out()
            .split("\n")
            .every((line) => line.length <= 120),
        );
      }
    }
  });

  it("prints a text of its own as paragraphs: no line is broken where there is room for the next word", async () => {
    const io = fakeIo();
    await main(["list", "--help"], io);
    const lines = io.out().split("\n");
    const at = lines.findIndex((line) => line.startsWith("With --namespace, or $LOCALIZER_NAMESPACE"));
    assert.ok(at > 0);
    const [first = "", second = ""] = lines.slice(at);
    assert.ok(first.length + 1 + (second.split(" ")[0] ?? "").length > 110, first);
  });

  it("exits with 2, one sentence and a hint for what it cannot read", async () => {
    for (const [argv, text] of [
      [
        ["lsit"],
        'localizer: There is no command "lsit"; did you mean "list"?\n  Run "localizer help" to see what there is\n',
      ],
      [
        ["help", "lsit"],
        'localizer: There is no command "lsit"; did you mean "list"?\n  Run "localizer help" to see what there is\n',
      ],
      [
        ["wait", "--timeuot", "3s"],
        'localizer: There is no flag "--timeuot"; did you mean "--timeout"?\n  Run "localizer wait --help" to see what there is\n',
      ],
      [
        ["list", "--namespace", "a b"],
        'localizer: Cannot use "a b" for --namespace: it is no name of a namespace\n  Run "localizer list --help" to see what there is\n',
      ],
      [["\u001b[2Jx"], 'localizer: There is no command " [2Jx"\n  Run "localizer help" to see what there is\n'],
      [
        ["list", "-o", "xml"],
        'localizer: Cannot print as "xml": want table, wide, json or hosts\n  Run "localizer list --help" to see what there is\n',
      ],
      [
        ["wait", "shop/cart/80"],
        'localizer: Cannot wait for "shop/cart/80": want NAMESPACE/SERVICE, or SERVICE alone\n  Run "localizer wait --help" to see what there is\n',
      ],
      [
        ["completion"],
        'localizer: Cannot print a completion without a shell: want bash, zsh or fish\n  Run "localizer completion --help" to see what there is\n',
      ],
      [
        ["completion", "tcsh"],
        'localizer: Cannot complete in "tcsh": want bash, zsh or fish\n  Run "localizer completion --help" to see what there is\n',
      ],
    ] as const) {
      const io = fakeIo();
      assert.equal(await main(argv, io), 2);
      assert.equal(io.err(), text);
      assert.equal(io.out(), "");
    }
  });
});
