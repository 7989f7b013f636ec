import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import type { ManifestWish } from "../../daemon/cluster-manifest.ts";
import { main } from "../main.ts";
import { version } from "../version.ts";
import { clusterCommand } from "./cluster.ts";

/** Gives what was wished for. */
async function wished(flags: Readonly<Record<string, readonly string[]>>, word = "manifest"): Promise<ManifestWish> {
  const wishes: ManifestWish[] = [];
  const print = (wish: ManifestWish) => {
    wishes.push(wish);
    return "text\n";
  };
  const io = fakeIo();
  const call = { io, flags: new Map(Object.entries(flags)), operands: word === "" ? [] : [word] };
  assert.equal(await clusterCommand(async () => print).run(call), 0);
  assert.equal(io.out(), "text\n");
  return wishes[0] ?? assert.fail("nothing was wished for");
}

test("clusterCommand() asks for a minute between looks and ten of grace, in all namespaces", async () => {
  assert.deepEqual(await wished({}), {
    ...{ namespace: undefined, image: undefined, version: version() },
    ...{ watched: [], kinds: [], grace: "10m", every: "1m" },
  });
});

test("clusterCommand() passes on what was chosen", async () => {
  const flags = {
    namespace: ["tools"],
    image: ["registry.example:5000/localizer@sha256:00"],
    grace: ["0s"],
    every: ["1.5m"],
    "watch-namespace": ["shop,bank", "shop"],
    kind: ["rollouts.argoproj.io"],
  };
  assert.deepEqual(await wished(flags), {
    ...{ namespace: "tools", image: "registry.example:5000/localizer@sha256:00", version: version() },
    ...{ watched: ["shop", "bank"], kinds: [{ plural: "rollouts", group: "argoproj.io" }], grace: "0s", every: "1.5m" },
  });
});

describe("clusterCommand() refuses", () => {
  const cases: readonly (readonly [Record<string, readonly string[]>, RegExp, word?: string])[] = [
    [{}, /"cluster" needs a word: want "cluster manifest"/, ""],
    [{}, /no command "cluster up"/, "up"],
    [{ namespace: ["a", "b"] }, /several namespaces/],
    [{ "watch-namespace": ["a_b"] }, /no name of a namespace/],
    [{ kind: ["rollouts"] }, /want PLURAL\.GROUP/],
    [{ kind: ["*.example.com"] }, /want PLURAL\.GROUP/],
    [{ every: ["1ms"] }, /want 1 s or more/],
    [{ grace: ["-1s"] }, /for --grace/],
    [{ image: ["a\nb"] }, /no name of an image/],
  ];
  for (const [flags, message, word] of cases) {
    it(`${JSON.stringify([flags, word])}`, async () => {
      await assert.rejects(wished(flags, word), { code: "usage", message });
    });
  }
});

test("the cluster command is not moved by settings of this machine's daemon", async () => {
  const io = fakeIo({ LOCALIZER_NAMESPACE: "shop", LOCALIZER_IMAGE: "sshd", LOCALIZER_GRACE: "1s" });
  assert.equal(await main(["cluster", "manifest"], io), 0, io.err());
  assert.ok(!/shop|sshd|1s/.test(io.out()), io.out());
  assert.match(io.out(), /^ {4}name: localizer$|namespace: localizer/m);
});
