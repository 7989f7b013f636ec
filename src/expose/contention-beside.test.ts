import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { sessions } from "../../test/support/expose-lab.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { Contention } from "./contention.ts";

test("keepSession() says which pods answer, too, when nobody can be scaled for them, and goes on", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await keeper.kept();
  keeper.lab.pod("alone");
  while (keeper.states.length === 1) {
    await turns(20);
    await keeper.lab.clock.advance(1_000);
  }
  await keeper.state('exposed: pod "alone" answers beside the local process');
  keeper.lab.remove("pods", "alone");
  await keeper.state("exposed");
});

test("Contention takes the pod of a Service beside, which this process exposes too, for no stranger", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  const holdings = { ...keeper.holdings, mates: () => [keeper.holdings.record.session, sessions.bob] };
  await using contention = new Contention(keeper.components, keeper.settings, holdings);
  let changes = 0;
  contention.onChange(() => changes++);
  await keeper.until(() => keeper.lab.server.watches === 2);
  for (const [name, session, isMixed] of [
    ["localizer-cart-headless-bbbbbbbb", sessions.bob, false],
    ["localizer-cart-headless-bbbbbbbb-2", sessions.bob, false],
    ["localizer-cart-headless-cccccccc", sessions.carol, true],
  ] as const) {
    const before = changes;
    keeper.lab.pod(name, session, { status: { phase: "Pending" } });
    await keeper.until(() => changes > before);
    await turns(50);
    assert.equal(contention.isMixed, isMixed, name);
  }
});
