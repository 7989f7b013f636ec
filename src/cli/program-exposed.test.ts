/** `expose … -- program`: an exposure as long as a program runs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openFakeDaemon } from "../../test/rpc/fake-daemon.ts";
import { exposedCart, line, saying, startLines, ToldLines } from "../../test/rpc/fake-exposure.ts";
import { fakeIo } from "../../test/rpc/fake-io.ts";
import { look, staying } from "../../test/rpc/fake-stay.ts";
import { until } from "../../test/support/event-loop.ts";
import { LocalizerError } from "../errors.ts";
import type { ExposeWish } from "../rpc/exposing.ts";
import { main } from "./main.ts";

describe("expose -- PROGRAM", () => {
  it("runs the program at an old daemon when traffic flows, ends with its code and gives back; stdout is the program's", async () => {
    const told = new ToldLines();
    await using made = await staying(["--map", "8080:80", "--", "node", "--watch", "--stop"], { expose: () => told });
    const { io, program } = made;
    told.say(...startLines);
    await until(() => io.err().includes("leads to this machine"));
    assert.equal(program.isStarted, false);
    told.end();
    await until(() => program.isStarted);
    assert.deepEqual(program.words, ["node", "--watch", "--stop"]);
    assert.equal(made.stops.length, 0);
    program.end.resolve(42);
    assert.equal(await made.running, 42);
    assert.equal(made.stops.length, 1);
    assert.equal(io.out(), "");
    assert.match(io.err(), /Service "shop\/cart" is as it was\n$/);
    assert.deepEqual([io.listening(), made.clock.pending], [0, 0]);
  });

  it("passes signals on, and waits for the program's own end", async () => {
    await using made = await staying(["--", "node"]);
    const { io, program } = made;
    await until(() => program.isStarted);
    await made.clock.asleep();
    io.ask("SIGINT");
    io.ask("SIGTERM");
    assert.deepEqual([program.told, made.stops.length], [["SIGINT", "SIGTERM"], 0]);
    program.end.resolve(0);
    assert.equal(await made.running, 0);
    assert.equal(made.stops.length, 1);
  });

  it("does not run it when the start fails or is interrupted", async () => {
    const expose = () => saying([], new LocalizerError("denied", "No right"));
    await using failing = await staying(["--", "node"], { expose });
    assert.equal(await failing.running, 5);
    const told = new ToldLines();
    await using interrupted = await staying(["--", "node"], { expose: () => told });
    told.say(...startLines.slice(0, 1));
    await until(() => interrupted.io.err() !== "");
    interrupted.io.ask("SIGINT");
    assert.equal(await interrupted.running, 130);
    assert.deepEqual([failing.program.isStarted, interrupted.program.isStarted], [false, false]);
    assert.deepEqual([failing.stops.length, interrupted.stops.length], [0, 1]);
    told.end();
  });

  it("starts the program once the pod is made, has the daemon wait for its ports, and gives this session back", async () => {
    const told = new ToldLines();
    const wishes: ExposeWish[] = [];
    const expose = (wish: ExposeWish) => {
      wishes.push(wish);
      return told;
    };
    await using made = await staying(["--", "node"], { expose });
    const { program, io } = made;
    told.say(...startLines.slice(0, 2));
    await until(() => io.err().includes("stops adjusting"));
    assert.equal(program.isStarted, false);
    told.say(line("pod", "Made pod"), line("pod", "Pod waits", "warn"));
    await until(() => program.isStarted && io.err().includes("Pod waits"));
    assert.equal(wishes[0]?.awaitLocal, true);
    io.ask("SIGHUP");
    assert.deepEqual(program.told, ["SIGHUP"]);
    told.say(...startLines.slice(2));
    told.end();
    await made.clock.asleep();
    assert.equal(made.stops.length, 0);
    program.end.resolve(3);
    assert.equal(await made.running, 3);
    assert.deepEqual(made.stops, [{ namespace: "shop", service: "cart", noWait: false, session: exposedCart.session }]);
    assert.deepEqual([io.listening(), made.clock.pending], [0, 0]);
  });

  it("gives back when the program ends before traffic flows, and exits with its code", async () => {
    for (const code of [0, 4]) {
      const told = new ToldLines();
      await using made = await staying(["--", "node"], { expose: () => told });
      told.say(line("pod", "Made pod"));
      await until(() => made.program.isStarted);
      made.program.end.resolve(code);
      assert.equal(await made.running, code);
      assert.deepEqual(
        made.stops.map(({ session }) => session),
        [exposedCart.session],
      );
      assert.equal(told.cancelled, false);
      told.end();
    }
  });

  it("ends the program when the start fails, and exits with the code of that", async () => {
    const told = new ToldLines();
    await using made = await staying(["--", "node"], { expose: () => told });
    const { program, io } = made;
    told.say(line("pod", "Made pod"));
    await until(() => program.isStarted);
    told.fail(new LocalizerError("timeout", "It did not start within 180 s"));
    await until(() => program.told.length > 0);
    assert.deepEqual(program.told, ["SIGTERM"]);
    program.end.resolve(0);
    assert.equal(await made.running, 6);
    assert.match(io.err(), /^Error: Ending the program: It did not start within 180 s$/m);
    assert.equal(made.stops.length, 0);
  });

  it("gives back when the daemon does not answer in time, unless it is what was there before", async () => {
    for (const [since, stops] of [
      [exposedCart.since, 1],
      [1_000, 0],
    ] as const) {
      const told = new ToldLines();
      await using made = await staying(["--", "node"], { expose: () => told });
      made.exposures.now = [{ ...exposedCart, since }];
      await until(() => told.asked > 0);
      await made.clock.advance(30_000);
      assert.equal(await made.running, 6);
      assert.deepEqual([made.program.isStarted, made.stops.length], [false, stops]);
      if (stops > 0) assert.equal(made.stops[0]?.session, exposedCart.session);
      assert.match(made.io.err(), /no answer within 30000 ms/);
      told.end();
    }
  });

  it("gives back when the program cannot be started", async () => {
    const told = new ToldLines();
    const prepare = async () => () => Promise.reject(new LocalizerError("denied", "It may not be executed"));
    await using made = await staying(["--", "node"], { expose: () => told }, prepare);
    told.say(line("pod", "Made pod"));
    assert.equal(await made.running, 5);
    assert.equal(made.stops.length, 1);
    told.end();
  });

  it("exits as a shell does for the signal that came before there was a program", async () => {
    for (const [request, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      const told = new ToldLines();
      await using made = await staying(["--", "node"], { expose: () => told });
      told.say(...startLines.slice(0, 1));
      await until(() => made.io.err() !== "");
      made.io.ask(request);
      assert.equal(await made.running, code);
      assert.deepEqual([made.program.isStarted, made.stops.length], [false, 1]);
      told.end();
    }
  });

  it("gives back what has failed when the program ends", async () => {
    await using made = await staying(["--", "node"]);
    made.exposures.now = [{ ...exposedCart, state: "failed", reason: "so it is" }];
    await until(() => made.io.err().includes('Warning: The exposure of "shop/cart" failed: so it is'));
    made.program.end.resolve(0);
    assert.equal(await made.running, 0);
    assert.equal(made.stops.length, 1);
  });

  it("goes on with the program when the exposure ends, and then gives nothing back", async () => {
    await using made = await staying(["--", "node"]);
    const { io, program } = made;
    await until(() => program.isStarted);
    await made.clock.asleep();
    made.exposures.now = [];
    await look(made.clock);
    await until(() => io.err().includes('Warning: Service "shop/cart" is not exposed any more'));
    program.end.resolve(3);
    assert.equal(await made.running, 3);
    assert.equal(made.stops.length, 0);
  });

  it("keeps the program's code when giving back fails, unless that is 0", async () => {
    for (const [code, expected] of [
      [9, 9],
      [0, 5],
    ] as const) {
      const stopExpose = () => saying([], new LocalizerError("denied", "No right to scale"));
      await using made = await staying(["--", "node"], { stopExpose });
      made.program.end.resolve(code);
      assert.equal(await made.running, expected);
      assert.match(made.io.err(), /(Error|localizer): No right to scale/);
    }
  });

  it("exposes nothing when there is no such program, or none is named", async () => {
    let asked = 0;
    const expose = () => {
      asked++;
      return saying(startLines);
    };
    await using daemon = await openFakeDaemon({ expose });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["expose", "shop/cart", "--", "no-such"], io), 4);
    assert.equal(asked, 0);
  });
});
