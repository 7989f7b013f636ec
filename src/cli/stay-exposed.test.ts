/** `expose --foreground`: an exposure until Ctrl-C. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endLines, exposedCart, saying, startLines, ToldLines } from "../../test/rpc/fake-exposure.ts";
import { look, staying } from "../../test/rpc/fake-stay.ts";
import { until } from "../../test/support/event-loop.ts";
import { LocalizerError } from "../errors.ts";

describe("expose --foreground", () => {
  it("stays until Ctrl-C, then gives back and exits with 0", async () => {
    await using made = await staying(["--foreground", "--no-wait"]);
    const { io } = made;
    await until(() => io.out().includes("Ctrl-C gives it back"));
    io.ask("SIGINT");
    assert.equal(await made.running, 0);
    assert.match(io.out(), /Deployment cart is set to 2 again\nService "shop\/cart" is as it was\n$/);
    assert.deepEqual(made.stops, [{ namespace: "shop", service: "cart", noWait: true, session: exposedCart.session }]);
    assert.deepEqual([io.err(), io.listening(), made.clock.pending], ["", 0, 0]);
    assert.equal(made.wishes[0]?.awaitLocal, false);
  });

  it("gives back what was only begun", async () => {
    const told = new ToldLines();
    await using made = await staying(["--foreground"], { expose: () => told });
    told.say(...startLines.slice(0, 1));
    await until(() => made.io.out() !== "");
    made.io.ask("SIGTERM");
    assert.equal(await made.running, 0);
    assert.equal(made.stops.length, 1);
    told.end();
  });

  it("gives back what only begins at a daemon that does not answer in time", async () => {
    const told = new ToldLines();
    await using made = await staying(["--foreground"], { expose: () => told, exposures: () => [] });
    await until(() => told.asked > 0);
    await made.clock.advance(30_000);
    assert.equal(await made.running, 6);
    assert.deepEqual(made.stops, [{ namespace: "shop", service: "cart", noWait: false, session: "" }]);
    told.end();
  });

  it("ends nothing that it cannot see at a daemon that does not answer in time, and names what gives it back", async () => {
    const told = new ToldLines();
    const exposures = () => {
      throw new LocalizerError("unavailable", "The list is away");
    };
    await using made = await staying(["--foreground"], { expose: () => told, exposures });
    await until(() => told.asked > 0);
    await made.clock.advance(30_000);
    assert.equal(await made.running, 6);
    assert.deepEqual(made.stops, []);
    assert.match(
      made.io.out(),
      /Cannot see whether "shop\/cart" is exposed: "localizer expose --stop shop\/cart" gives it back/,
    );
    told.end();
  });

  it("takes for given back what the daemon does not know", async () => {
    const stopExpose = () => saying([], new LocalizerError("not-found", "It is not exposed"));
    await using made = await staying(["--foreground"], { stopExpose });
    await until(() => made.io.out().includes("Ctrl-C"));
    made.io.ask("SIGINT");
    assert.equal(await made.running, 0);
    assert.equal(made.io.err(), "");
  });

  it("leaves giving back to the daemon after a second Ctrl-C", async () => {
    const told = new ToldLines();
    await using made = await staying(["--foreground"], { stopExpose: () => told });
    const { io } = made;
    await until(() => io.out().includes("Ctrl-C"));
    io.ask("SIGINT");
    told.say(...endLines.slice(0, 1));
    await until(() => io.out().includes("is set to 2 again"));
    io.ask("SIGINT");
    assert.equal(await made.running, 1);
    assert.match(io.err(), /^localizer: Left to the daemon, which goes on giving "shop\/cart" back/);
    assert.equal(told.cancelled, false);
    told.end();
  });

  it("says what changes, and exits when somebody else ends it", async () => {
    await using made = await staying(["--foreground"]);
    const { io, clock, exposures } = made;
    await clock.asleep();
    exposures.now = [{ ...exposedCart, state: "reconnecting", reason: "the node does not answer" }];
    await look(clock);
    await clock.asleep();
    exposures.now = [exposedCart];
    await look(clock);
    await clock.asleep();
    assert.match(io.out(), /Service "shop\/cart" is exposed\n$/);
    exposures.now = [];
    await look(clock);
    assert.equal(await made.running, 4);
    assert.match(io.out(), /^Warning: Service "shop\/cart" is reconnecting: the node does not answer$/m);
    assert.equal(io.err(), 'localizer: Service "shop/cart" is not exposed any more: somebody has given it back\n');
    assert.deepEqual([made.stops, io.listening(), clock.pending], [[], 0, 0]);
  });

  it("exits with the code of what it came to, and gives back what has failed", async () => {
    for (const [state, code, sentence, stops] of [
      ["lost", 7, /"shop\/cart" was lost: so it is$/m, 0],
      ["failed", 1, /The exposure of "shop\/cart" failed: so it is$/m, 1],
    ] as const) {
      await using made = await staying(["--foreground"]);
      made.exposures.now = [{ ...exposedCart, state, reason: "so it is" }];
      assert.equal(await made.running, code);
      assert.match(made.io.err(), sentence);
      assert.equal(made.stops.length, stops);
    }
    const { daemon, ...made } = await staying(["--foreground"]);
    await made.clock.asleep();
    await daemon[Symbol.asyncDispose]();
    await look(made.clock);
    assert.equal(await made.running, 3);
  });

  it("looks again when a look has failed, and gives back when the next one fails, too", async () => {
    const looks = { fail: 0 };
    const exposures = () => {
      if (looks.fail-- > 0) throw new LocalizerError("internal", "So it is");
      return [exposedCart];
    };
    await using made = await staying(["--foreground"], { exposures });
    const { io, clock } = made;
    for (const fail of [1, 0, 2, 1]) {
      await clock.asleep();
      looks.fail = fail;
      await look(clock);
    }
    assert.equal(await made.running, 1);
    assert.match(io.out(), /^Warning: So it is\n(.*\n)*Service "shop\/cart" is as it was\n$/m);
    assert.match(io.err(), /^localizer: So it is\n/);
    assert.equal(made.stops.length, 1);
  });

  it("gives back no session that has taken the place of its own", async () => {
    await using made = await staying(["--foreground"]);
    await made.clock.asleep();
    made.exposures.now = [{ ...exposedCart, session: "another" }];
    made.io.ask("SIGINT");
    assert.equal(await made.running, 0);
    assert.deepEqual(
      made.stops.map(({ session }) => session),
      [exposedCart.session],
    );
  });
});
