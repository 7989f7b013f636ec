import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { SystemNames } from "./system-names.ts";

type Answer = readonly string[] | "ENOTFOUND" | "ENODATA" | "ESERVFAIL" | "silence";

/** A resolver that knows these names, "A name" and "AAAA name"; all others do not exist unless the test says else. */
function makeNames({ known = {}, otherwise = "ENOTFOUND" }: { known?: Record<string, Answer>; otherwise?: Answer }) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const heard: string[] = [];
  const state = { known, otherwise, cancelled: 0, gone: new Set<string>() };
  const resolve = (type: string) => async (name: string) => {
    if (type === "A") asked.push(name);
    const answer = state.known[`${type} ${name}`] ?? state.otherwise;
    if (answer === "silence") return await new Promise<never>(() => {});
    if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
    return answer;
  };
  const resolver = { resolve4: resolve("A"), resolve6: resolve("AAAA"), cancel: () => void state.cancelled++ };
  const names = new SystemNames(
    { resolver, clock },
    { search: ["corp.example", "lan"], isInUse: (name) => !state.gone.has(name) },
  );
  names.onAnswer((name) => heard.push(`${name} ${names.resolvesElsewhere(name)}`));
  return { ...{ clock, asked, heard, state, names }, [Symbol.dispose]: () => names[Symbol.dispose]() };
}

const table: readonly (readonly [title: string, known: Record<string, Answer>, answer: boolean])[] = [
  ["free when nobody has it", {}, false],
  ["somebody's below a search domain", { "A cart.lan": ["10.1.1.1"] }, true],
  ["somebody's as it is", { "A cart": ["10.1.1.1"] }, true],
  ["somebody's with an IPv6 address alone", { "A cart.lan": "ENODATA", "AAAA cart.lan": ["fd00::1"] }, true],
  ["free when it has other records alone", { "A cart.lan": "ENODATA", "AAAA cart.lan": "ENODATA" }, false],
  ["free when the answer is what we wrote", { "A cart": ["127.172.221.181"] }, false],
  ["somebody's when it is the machine itself", { "A cart": ["127.0.0.1"] }, true],
  ["somebody's when one of several is not ours", { "A cart": ["127.172.221.181", "10.1.1.1"] }, true],
  ["free when a server fails for one domain", { "A cart.corp.example": "ESERVFAIL" }, false],
];

for (const [title, known, answer] of table) {
  test(`SystemNames takes a name for ${title}`, async () => {
    using made = makeNames({ known });
    assert.equal(made.names.resolvesElsewhere("cart"), undefined);
    assert.equal(made.names.settled, false);
    await turns();
    assert.deepEqual([made.heard, made.names.settled], [[`cart ${answer}`], true]);
    assert.equal(made.clock.pending, 1, "the sweep");
  });
}

test("SystemNames asks below the search domains first, then the name as it is, and each name once", async () => {
  using made = makeNames({});
  for (let call = 0; call < 3; call++) made.names.resolvesElsewhere("cart");
  await turns();
  assert.equal(made.names.resolvesElsewhere("cart"), false);
  assert.deepEqual(made.asked, ["cart.corp.example", "cart.lan", "cart"]);
  assert.deepEqual(made.heard, ["cart false"]);
});

test("SystemNames takes a name for free for now when no answer came within a second", async () => {
  using made = makeNames({ otherwise: "silence" });
  made.names.resolvesElsewhere("cart");
  await made.clock.advance(999);
  assert.deepEqual(made.heard, []);
  await made.clock.advance(1);
  await turns();
  assert.deepEqual([made.heard, made.clock.pending], [["cart false"], 1]);
});

test("SystemNames asks again a minute later for a name that nobody answered, and tells when it is somebody's", async () => {
  using made = makeNames({ otherwise: "ESERVFAIL" });
  made.names.resolvesElsewhere("cart");
  await turns();
  assert.deepEqual(made.heard, ["cart false"]);
  made.state.known = { "A cart.lan": ["10.1.1.1"] };
  made.state.otherwise = "ENOTFOUND";
  await made.clock.advance(60_000);
  await turns();
  assert.deepEqual(made.heard, ["cart false", "cart true"]);
  made.state.known = {};
  made.state.otherwise = "ESERVFAIL";
  await made.clock.advance(11 * 60_000);
  await turns();
  assert.equal(made.names.resolvesElsewhere("cart"), true, "silence is no answer");
});

test("SystemNames asks again after 10 minutes, one name after the other, tells only what is new, and stays settled", async () => {
  using made = makeNames({});
  for (const name of ["a", "b", "c"]) made.names.resolvesElsewhere(name);
  await turns();
  const { length } = made.asked;
  await made.clock.advance(9 * 60_000);
  assert.equal(made.asked.length, length);
  made.state.known = { "A b.lan": ["10.1.1.1"] };
  made.state.otherwise = "silence";
  await made.clock.advance(60_000);
  await turns();
  assert.deepEqual([made.asked.slice(length), made.names.settled], [["a.corp.example"], true]);
  made.state.otherwise = "ENOTFOUND";
  await made.clock.advance(1_000);
  await turns();
  assert.deepEqual(made.heard.slice(3), ["b true"]);
});

test("SystemNames forgets names that nobody uses, and asks for them anew when somebody does", async () => {
  using made = makeNames({});
  made.names.resolvesElsewhere("cart");
  await turns();
  made.state.gone.add("cart");
  await made.clock.advance(60_000);
  assert.deepEqual([made.asked.length, made.clock.pending], [3, 0]);
  made.state.gone.clear();
  assert.equal(made.names.resolvesElsewhere("cart"), undefined);
  await turns();
  assert.equal(made.asked.length, 6);
});

test("SystemNames asks for eight names at once", async () => {
  using made = makeNames({ otherwise: "silence" });
  for (let index = 0; index < 10; index++) made.names.resolvesElsewhere(`svc-${index}`);
  await turns();
  assert.equal(made.asked.length, 8);
});

test("SystemNames asks nobody for half a minute when eight names in a row were not answered", async () => {
  using made = makeNames({ otherwise: "ESERVFAIL" });
  for (let index = 0; index < 100; index++) made.names.resolvesElsewhere(`svc-${index}`);
  await turns(50);
  assert.equal(made.heard.length, 100);
  const { length } = made.asked;
  assert.ok(length <= 16 * 3, `${length} questions`);
  await made.clock.advance(30_000);
  made.state.otherwise = "ENOTFOUND";
  made.names.resolvesElsewhere("late");
  await turns();
  assert.deepEqual(made.asked.slice(length), ["late.corp.example", "late.lan", "late"]);
});

test("SystemNames asks no name that is too long with a domain behind it", async () => {
  using made = makeNames({});
  made.names.resolvesElsewhere("a..b");
  await turns();
  assert.deepEqual([made.asked, made.heard], [[], ["a..b false"]]);
});

test("SystemNames[Symbol.dispose]() cancels what is asked, asks and tells no more and leaves no timer", async () => {
  const made = makeNames({ otherwise: "silence" });
  for (let index = 0; index < 10; index++) made.names.resolvesElsewhere(`svc-${index}`);
  made.names[Symbol.dispose]();
  await turns();
  assert.deepEqual([made.state.cancelled, made.clock.pending, made.heard, made.asked.length], [1, 0, [], 8]);
  assert.equal(made.names.resolvesElsewhere("late"), undefined);
  assert.equal(made.names.settled, true);
});
