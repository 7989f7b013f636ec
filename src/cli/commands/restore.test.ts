import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import type { Restored, RestoreRequest, Restorer } from "../../daemon/restore.ts";
import { LocalizerError } from "../../errors.ts";
import { kinds } from "../../kube/objects.ts";
import { serviceKey } from "../../model/service-key.ts";
import { parseCommandLine } from "../command-line.ts";
import { withEnvironment } from "../flag-values.ts";
import { globalFlags } from "../global-flags.ts";
import { restoreCommand } from "./restore.ts";

type Repeated = Parameters<Restorer["repeatedly"]>[1];

const nothing: Restored = { restored: 0, alive: [], failures: [], where: 'namespace "shop" of context "test"' };

/** A restorer that notes what it is asked for. */
function fakeRestorer(answer: Partial<Restored> = {}, during: (request: RestoreRequest) => void = () => {}) {
  const [once, repeatedly]: [RestoreRequest[], Repeated[]] = [[], []];
  const restorer: Restorer = {
    async once(_options, request) {
      once.push(request);
      during(request);
      return { ...nothing, ...answer };
    },
    async repeatedly(_options, request, signal) {
      repeatedly.push(request);
      request.onStart('all namespaces of context "test"');
      during(request);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  return { restorer, once, repeatedly };
}

function run(
  restorer: Restorer,
  words: Readonly<Record<string, string | readonly string[]>> = {},
  operands: readonly string[] = [],
  io = fakeIo(),
) {
  const flags = new Map(Object.entries(words).map(([name, value]) => [name, [value].flat()]));
  return restoreCommand(async () => restorer).run({ io, flags, operands });
}

describe("restoreCommand() looks", () => {
  const cart = serviceKey("shop", "cart");
  const cases: readonly (readonly [Record<string, string | readonly string[]>, string[], RestoreRequest["scope"]])[] = [
    [{}, [], "context"],
    [{ all: "true" }, [], {}],
    [{ namespace: ["shop", "bank", "shop"] }, [], { namespaces: ["shop", "bank"] }],
    [{}, ["shop/cart"], { namespaces: ["shop"], key: cart }],
    [{ namespace: "shop" }, ["cart"], { namespaces: ["shop"], key: cart }],
    [{}, ["cart"], { service: "cart" }],
  ];
  for (const [flags, operands, scope] of cases) {
    it(`where ${JSON.stringify([flags, operands])} says`, async () => {
      const { restorer, once } = fakeRestorer();
      assert.equal(await run(restorer, flags, operands), 0);
      assert.deepEqual(
        once.map((request) => request.scope),
        [scope],
      );
    });
  }

  const refused: readonly (readonly [Record<string, string | readonly string[]>, string[], RegExp])[] = [
    [{ all: "true", namespace: "shop" }, [], /--all and a namespace or service/],
    [{ all: "true" }, ["shop/cart"], /--all and a namespace or service/],
    [{}, ["a/b/c"], /want NAMESPACE\/SERVICE/],
    [{ namespace: ["shop", "bank"] }, ["cart"], /want one --namespace/],
    [{ namespace: "no_name" }, [], /no name of a namespace/],
    [{ every: "0s" }, [], /"0s" for --every: want 1 s or more/],
    [{ every: "1m" }, ["shop/cart"], /--every/],
    [{ every: "1m" }, ["cart"], /--every/],
    [{ grace: "soon" }, [], /"soon" for --grace/],
  ];
  for (const [flags, operands, message] of refused) {
    it(`nowhere for ${JSON.stringify([flags, operands])}`, async () => {
      const { restorer, once, repeatedly } = fakeRestorer();
      await assert.rejects(run(restorer, flags, operands), { code: "usage", message });
      assert.deepEqual([once, repeatedly], [[], []]);
    });
  }
});

test("restoreCommand() waits for workloads unless told otherwise, and has no grace of its own", async () => {
  const { restorer, once } = fakeRestorer();
  await run(restorer);
  await run(restorer, { "no-wait": "true", grace: "10m" });
  assert.deepEqual(
    once.map(({ waitMs, graceMs }) => [waitMs, graceMs]),
    [
      [300_000, 0],
      [0, 600_000],
    ],
  );
});

test("restoreCommand() prints what is reported, what was restored, and who lives", async () => {
  const io = fakeIo();
  const lease = {
    ...{ ref: { ...kinds.leases, namespace: "shop", name: "localizer-cart" }, uid: "1", resourceVersion: "1" },
    ...{ session: "s", holder: "alice@laptop", claim: "", since: "", renewed: "", durationMs: 1, record: undefined },
  };
  const { restorer } = fakeRestorer({ restored: 1, alive: [lease] }, ({ report }) => {
    report({ level: "info", step: "scale-back", message: "cart is set to 2 again" });
    report({ level: "warn", step: "workload", message: "Not ready\nyet" });
  });
  assert.equal(await run(restorer, {}, [], io), 0);
  assert.deepEqual(io.out().split("\n"), [
    "cart is set to 2 again",
    "warn: Not ready yet",
    'Left alone: "shop/localizer-cart" of alice@laptop, who gives signs of life',
    'Restored 1 exposure in namespace "shop" of context "test"',
    "",
  ]);
});

test("restoreCommand() says that there was nothing", async () => {
  const io = fakeIo();
  await run(fakeRestorer().restorer, {}, [], io);
  assert.equal(io.out(), 'Nothing to restore in namespace "shop" of context "test"\n');
});

test("restoreCommand() fails with the first failure, and tells the others", async () => {
  const io = fakeIo();
  const failures = [new LocalizerError("denied", "First"), new LocalizerError("conflict", "Second")];
  await assert.rejects(run(fakeRestorer({ failures }).restorer, {}, [], io), { code: "denied", message: "First" });
  assert.deepEqual([io.out(), io.err()], ["", "localizer: Second\n"]);
});

test("restoreCommand() with --every says where it looks, and goes on until it is stopped", async () => {
  const io = fakeIo();
  const { restorer, once, repeatedly } = fakeRestorer({}, () => setImmediate(() => io.ask("SIGTERM")));
  assert.equal(await run(restorer, { all: "true", every: "1m", grace: "10m" }, [], io), 0);
  assert.equal(io.out(), 'Looking for forgotten exposures in all namespaces of context "test", every 60 s\n');
  assert.deepEqual(
    [once, repeatedly.map(({ scope, everyMs, graceMs }) => [scope, everyMs, graceMs]), io.listening()],
    [[], [[{}, 60_000, 600_000]], 0],
  );
});

test("restoreCommand() looks in all namespaces with --all though a variable names one, and refuses one that is typed", async () => {
  const { restorer, once } = fakeRestorer();
  const command = restoreCommand(async () => restorer);
  const io = fakeIo({ LOCALIZER_NAMESPACE: "shop" });
  const asked = async (...argv: readonly string[]) => {
    const { flags: given, operands } = parseCommandLine(["restore", ...argv], [command]);
    return await command.run({
      io,
      flags: withEnvironment(given, io.env, { ...globalFlags, ...command.flags }),
      operands,
    });
  };
  await asked("--all");
  await asked();
  assert.deepEqual(
    once.map(({ scope }) => scope),
    [{}, { namespaces: ["shop"] }],
  );
  await assert.rejects(asked("--all", "--namespace", "shop"), { code: "usage" });
});
