import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hostName } from "../model/host-name.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { type BlockOwner, blockOwners, holdsBlock, withBlock } from "./block.ts";

const range = parseLoopbackRange("127.0.0.0/8");
const owner: BlockOwner = { pid: 71, startTime: "4711", bootId: "b-1", instance: "default" };
const other: BlockOwner = { ...owner, pid: 72, instance: "5f0c9d3ab101" };
const cart = entry(65536, "cart.shop.svc.cluster.local", "cart.shop.svc", "cart.shop");
const begin = "# localizer: begin (instance default, pid 71, started 4711, boot b-1)\n";
const end = "# localizer: end (instance default)\n";
const cartLine = "127.1.0.0 cart.shop.svc.cluster.local cart.shop.svc cart.shop # localizer:default\n";

test("withBlock() appends a block with owner and tag", () => {
  assert.equal(write("127.0.0.1 localhost\n", [cart]), `127.0.0.1 localhost\n${begin}${cartLine}${end}`);
});

test("withBlock() says unchanged when the block is there already", () => {
  assert.equal(withBlock(Buffer.from(write("a\n", [cart])), owner, [cart]), "unchanged");
  assert.equal(withBlock(Buffer.from("a\n"), owner, []), "unchanged");
});

test("withBlock() replaces the block where it stands", () => {
  const file = `head\n${begin}${cartLine}${end}tail`;
  const mail = entry(65537, "mail.shop");
  assert.equal(write(file, [mail]), `head\n${begin}127.1.0.1 mail.shop # localizer:default\n${end}tail`);
});

test("withBlock() keeps the line end that it added when lines came after the block", () => {
  const added = write("no end", [cart]);
  assert.match(added, /^no end\n# localizer: begin \(.*, lf added to [0-9a-f]{8}\)\n/);
  assert.equal(write(added, []), "no end");
  assert.equal(write(`${added}later\n`, []), "no end\nlater\n");
});

test("withBlock() takes its line end from no other line when the one that got it has gone", () => {
  assert.equal(write(write("a\nno end", [cart]).replace("no end\n", ""), []), "a\n");
});

test("withBlock() leaves the added line end to the block behind it", () => {
  const both = write(write("no end", [cart]), [cart], other);
  assert.equal(write(write(both, []), [], other), "no end");
});

test("withBlock() writes the line end that most lines have", () => {
  const file = write("a\r\nb\r\nc", [cart]);
  assert.equal(file.replaceAll("\r\n", "").includes("\n"), false);
  assert.equal(write(file, []), "a\r\nb\r\nc");
});

test("withBlock() takes only tagged lines with a lost end marker", () => {
  const file = `${begin}${cartLine}10.0.0.1 intranet\n127.1.0.9 mine # localizer\n`;
  assert.equal(write(file, []), "10.0.0.1 intranet\n127.1.0.9 mine # localizer\n");
});

test("withBlock() keeps a line that somebody put into the block", () => {
  assert.equal(write(`${begin}10.0.0.1 intranet\n${cartLine}${end}`, []), "10.0.0.1 intranet\n");
});

test("blockOwners() reads back the pid's namespace, and a marker from before there was one", () => {
  const contained = { ...owner, pidNamespace: "4026531836" };
  const file = write("10.0.0.9 nas", [cart], contained);
  assert.deepEqual(blockOwners(Buffer.from(file)), [contained]);
  assert.match(file, /boot b-1, pidns 4026531836, lf added to [0-9a-f]{8}\)$/m);
  assert.equal(write(file, [], contained), "10.0.0.9 nas");
  assert.equal(write(write("", [cart]), [], contained), "");
});

test("withBlock() leaves the blocks of another instance and of the original localizer alone", () => {
  const foreign = `###start-hostfile\n127.0.0.9 old\n###end-hostfile\n${write("", [cart], other)}`;
  const file = write(foreign, [cart]);
  assert.ok(file.startsWith(foreign));
  assert.equal(write(file, []), foreign);
});

test("withBlock() puts at most 8 names and 400 bytes on a line", () => {
  const many = entry(1, ...Array.from({ length: 20 }, (_, index) => `n${index}.shop`));
  const long = entry(2, ...Array.from({ length: 5 }, (_, index) => `${`${"x".repeat(60)}.`.repeat(3)}n${index}`));
  const lines = write("", [many, long]).split("\n").slice(1, -2);
  assert.ok(lines.every((line) => line.length <= 400 && line.split(" ").length <= 1 + 8 + 2));
  const names = lines.flatMap((line) => line.replace(/ #.*/, "").split(" ").slice(1));
  assert.deepEqual(names, [...many.names, ...long.names]);
});

test("withBlock() throws on an owner that cannot stand in a marker", () => {
  assert.throws(() => withBlock(Buffer.from(""), { ...owner, instance: "a\nb" }, [cart]), RangeError);
});

test("blockOwners() names every owner and skips markers that cannot be read", () => {
  const file = `${write(write("", [cart]), [cart], other)}# localizer: begin (instance x, pid y)\n`;
  assert.deepEqual(blockOwners(Buffer.from(file)), [owner, other]);
});

test("holdsBlock() sees a block that was removed, cut, changed or doubled, and not what stands around it", () => {
  const file = write("head\n", [cart]);
  const holds = (text: string) => holdsBlock(Buffer.from(text), "default", [cart]);
  assert.deepEqual([file, `# new\n${file}tail\n`].map(holds), [true, true]);
  const damaged = [
    file.replace(cartLine, ""),
    file.replace(end, ""),
    file.replace("127.1.0.0", "127.1.0.1"),
    file + file,
  ];
  assert.deepEqual(["head\n", file.replace(begin, ""), ...damaged].map(holds), Array(6).fill(false));
  assert.equal(holdsBlock(Buffer.from("head\n"), "default", []), true);
  assert.equal(holdsBlock(Buffer.from(file), "default", []), false);
});

test("property: write, update, remove gives back the very bytes, whatever they are", () => {
  fc.assert(
    fc.property(foreignBytes(other.instance), tables(), tables(), (bytes, first, second) => {
      const written = apply(bytes, first);
      const updated = apply(written, second);
      assert.deepEqual(apply(updated, []), bytes);
      assert.deepEqual(apply(apply(written, []), second), updated);
    }),
    { numRuns: 2000 },
  );
});

test("property: foreign lines stay as they are, in their order, beside halves of our own markers", () => {
  fc.assert(
    fc.property(foreignBytes(owner.instance, ["\n", "\r\n"]), tables(), (bytes, table) => {
      const clean = apply(bytes, []);
      assert.deepEqual(apply(apply(bytes, table), []), clean);
      assert.deepEqual(
        linesOf(clean),
        linesOf(bytes).filter((line) => !ours.has(line)),
      );
    }),
    { numRuns: 2000 },
  );
});

test("property: two instances come and go without harm to each other", () => {
  fc.assert(
    fc.property(foreignBytes("third"), tables(), tables(), (bytes, mine, theirs) => {
      const both = apply(apply(bytes, mine), theirs, other);
      assert.deepEqual(apply(apply(both, [], other), []), bytes);
    }),
    { numRuns: 1000 },
  );
});

test("property: several instances write and leave in any order, and the last leaves the very bytes", () => {
  const step = fc.record({ who: fc.nat({ max: 2 }), table: tables() });
  fc.assert(
    fc.property(foreignBytes("fourth"), fc.array(step, { maxLength: 8 }), fc.nat({ max: 5 }), (bytes, steps, order) => {
      const all = [owner, other, { ...owner, pid: 73, instance: "third" }];
      const wrote = steps.reduce((file, { who, table }) => apply(file, table, all[who]), bytes);
      for (const each of all) {
        const last = steps.findLast(({ who }) => all[who] === each);
        assert.ok(holdsBlock(wrote, each.instance, last?.table ?? []), each.instance);
      }
      const leaving = permutation(all, order);
      assert.deepEqual(
        leaving.reduce((file, each) => apply(file, [], each), wrote),
        bytes,
      );
    }),
    { numRuns: 2000 },
  );
});

test("property: what others add, change and remove around, between and in our lines stays as they left it", () => {
  const edit = fc.record({
    kind: fc.constantFrom("add", "remove", "write"),
    at: fc.nat(),
    line: cutMarker(),
    table: tables(),
  });
  fc.assert(
    fc.property(foreignBytes("fourth", ["\n"]), fc.array(edit, { maxLength: 12 }), (bytes, edits) => {
      let file = bytes;
      for (const { kind, at, line, table } of edits) {
        if (kind === "write") {
          file = apply(file, table);
          continue;
        }
        const lines = splitLines(file);
        const index = at % (lines.length + 1);
        if (kind === "add" && endsWhole(lines.slice(0, index))) lines.splice(index, 0, `${line}\n`);
        if (kind === "remove") lines.splice(index, 1);
        file = Buffer.from(lines.join(""), "latin1");
      }
      const foreign = splitLines(file).filter((line) => !isOurs(line));
      const left = splitLines(apply(file, []));
      // The line end that we gave to the last line goes with us; nothing else may differ.
      const [last = "", lastLeft = ""] = [foreign.at(-1), left.at(-1)];
      assert.ok(left.length === foreign.length && last.startsWith(lastLeft));
      assert.ok(["", "\n", "\r\n"].includes(last.slice(lastLeft.length)));
      assert.deepEqual(left.slice(0, -1), foreign.slice(0, -1));
    }),
    { numRuns: 3000 },
  );
});

function entry(index: number, ...names: string[]): HostsEntry {
  return { address: addressAt(range, index), names: names.map(hostName) };
}

function write(text: string, entries: readonly HostsEntry[], by = owner): string {
  return apply(Buffer.from(text, "latin1"), entries, by).toString("latin1");
}

function apply(bytes: Buffer, entries: readonly HostsEntry[], by = owner): Buffer {
  const result = withBlock(bytes, by, entries);
  return result === "unchanged" ? bytes : result;
}

function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString("latin1").split("\n");
  return lines.map((line) => line.replace(/\r$/, "")).filter((line) => line !== "");
}

const ours: ReadonlySet<string> = new Set(ownPieces("default"));

function ownPieces(instance: string): string[] {
  return [
    `# localizer: begin (instance ${instance}, pid 9, started 1, boot b)`,
    `# localizer: end (instance ${instance})`,
    `127.1.2.3 a.b # localizer:${instance}`,
  ];
}

function permutation<T>(items: readonly T[], number: number): readonly T[] {
  const [first, ...rest] = items.slice(number % items.length).concat(items.slice(0, number % items.length));
  const others = number >= items.length ? rest.toReversed() : rest;
  return first === undefined ? [] : [first, ...others];
}

function splitLines(bytes: Buffer): string[] {
  return bytes.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function endsWhole(lines: readonly string[]): boolean {
  return lines.at(-1)?.endsWith("\n") ?? true;
}

function isOurs(line: string): boolean {
  return /^# localizer: (begin|end) \(instance default(, .*)?\)\r?\n?$|^127\S+ [^#\s]\S*( [^#\s]\S*)* # localizer:default\r?\n?$/.test(
    line,
  );
}

/** Lines of ours cut somewhere, so that they are nobody's, and anything else without a line end. */
function cutMarker(): fc.Arbitrary<string> {
  const cut = fc.tuple(fc.constantFrom(...ownPieces("default")), fc.integer({ min: 1, max: 12 }));
  const bytes = fc
    .uint8Array({ maxLength: 8 })
    .map((some) => Buffer.from(some.map((byte) => (byte === 10 ? 11 : byte))));
  return fc.oneof(
    cut.map(([piece, length]) => piece.slice(0, -length)),
    cut.map(([piece, length]) => `${piece.slice(length)}x`),
    bytes.map((some) => some.toString("latin1")),
  );
}

/** Anything that may stand in a hosts file, with pieces of a block of that instance. */
function foreignBytes(instance: string, lineEnds = ["\n", "\n", "\r\n", ""]): fc.Arbitrary<Buffer> {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.constantFrom(
      "\u00ef\u00bb\u00bf",
      "127.0.0.1 localhost",
      "\t10.1.1.1\tweb web.local # office",
      "###start-hostfile",
      "###end-hostfile",
      "# Added by Docker Desktop",
      "\r",
      "# localizer: begin",
      ...ownPieces(instance),
      `127.1.2.3 a.b # localizer:${instance} `,
      `# 127.1.2.3 a.b # localizer:${instance}`,
    ),
  );
  const eol = fc.constantFrom(...lineEnds);
  const lines = fc.array(fc.tuple(piece, eol), { maxLength: 12 });
  // The last line may lack its end.
  return fc.tuple(lines, piece).map(([some, last]) => Buffer.from(some.flat().join("") + last, "latin1"));
}

function tables(): fc.Arbitrary<HostsEntry[]> {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}(\.[a-z]{1,4}){0,2}$/).map(hostName);
  const address = fc.integer({ min: 1, max: 2 ** 24 - 1 }).map((index) => addressAt(range, index));
  return fc.array(fc.record({ address, names: fc.array(name, { maxLength: 12 }) }), { maxLength: 5 });
}
