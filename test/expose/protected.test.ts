/** A cluster that is called production, simulated: nobody exposes there without having said yes, whatever he asks with. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { exposeState } from "../../src/daemon/expose-state.ts";
import { codeOf, LocalizerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
import { type ExposeRequest, exposeMessage, exposeWishOf } from "../../src/rpc/exposing.ts";
import { ExposeServiceRequestSchema } from "../../src/rpc/gen/api/v1/localizer_pb.ts";
import { openFaultLab } from "./fault-lab.ts";

/** What comes of a request as it comes over the wire; owners' state and what is left afterwards. */
async function asked(settings: { contextName?: string; clusterName?: string }, request: Partial<ExposeRequest>) {
  await using lab = await openFaultLab();
  using place = await lab.namespace("guarded");
  await using daemon = place.daemon({ settings });
  const before = place.state();
  const state = exposeState(daemon.exposures, silentLogger());
  const message = exposeMessage({ namespace: "guarded", service: "cart", ...request });
  const lines = state.expose(exposeWishOf(create(ExposeServiceRequestSchema, message)));
  try {
    const last = (await Array.fromAsync(lines)).at(-1);
    return { step: last?.step, isExposed: daemon.exposures.views.length > 0 };
  } catch (error) {
    assert.deepEqual([place.state(), place.leftovers(), daemon.exposures.views], [before, [], []]);
    return { error };
  } finally {
    if (daemon.exposures.views.length > 0) await daemon.stop();
  }
}

describe("Exposures.expose() in a protected context", { timeout: 120_000 }, () => {
  const prod = { contextName: "eu-prod-1" };

  it("refuses what does not say yes, as an old client does not, and names what would", async () => {
    for (const [settings, names] of [
      [prod, 'context "eu-prod-1" (cluster "sandbox")'],
      [{ clusterName: "Production" }, 'context "sandbox" (cluster "Production")'],
    ] as const) {
      const { error } = await asked(settings, {});
      assert.equal(codeOf(error), "conflict");
      const sentence = `Cannot expose "guarded/cart": ${names} is a protected one; if you mean it, the same command with --yes does it`;
      assert.equal(LocalizerError.from(error).message, sentence);
    }
  });

  it("goes ahead with yes", async () => {
    assert.deepEqual(await asked(prod, { yes: true }), { step: "exposed", isExposed: true });
  });

  it("asks for no yes when nothing is changed", async () => {
    assert.deepEqual(await asked(prod, { dryRun: true }), { step: "ended", isExposed: false });
  });
});
