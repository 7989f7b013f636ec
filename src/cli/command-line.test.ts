import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCommandLine } from "./command-line.ts";
import { down } from "./commands/down.ts";
import { expose } from "./commands/expose.ts";
import { helpCommand } from "./commands/help.ts";
import { list } from "./commands/list.ts";
import { runCommand } from "./commands/run.ts";

const named = [list, down, expose];
const commands = [runCommand(), ...named, helpCommand(named)];
const parse = (...argv: string[]) => parseCommandLine(argv, commands);

describe("parseCommandLine()", () => {
  it("means the daemon when there is no word", () => {
    assert.equal(parse("--context", "kind").command.name, "");
    assert.equal(parse().command.name, "");
  });

  it("takes flags before and after the command, in both forms", () => {
    for (const argv of [
      ["--socket", "s", "list", "-o", "json"],
      ["list", "--output=json", "--socket=s"],
    ]) {
      const { command, flags } = parse(...argv);
      assert.equal(command, list);
      assert.deepEqual([...flags].toSorted(), [
        ["output", ["json"]],
        ["socket", ["s"]],
      ]);
    }
  });

  it("keeps each of a repeated flag in order", () => {
    const { flags } = parse("--namespace", "a", "--namespace", "b", "--no-helper");
    assert.deepEqual(flags.get("namespace"), ["a", "b"]);
    assert.deepEqual(flags.get("no-helper"), ["true"]);
  });

  it("takes --short-names with and without a value", () => {
    for (const [argv, value] of [
      [["--short-names"], ""],
      [["--short-names", "--no-helper"], ""],
      [["--short-names", "shop", "list"], "shop"],
      [["--short-names=off", "list"], "off"],
    ] as const) {
      assert.deepEqual(parse(...argv).flags.get("short-names"), [value], argv.join(" "));
    }
  });

  it("leaves what stands after -- to a command that takes a program, and takes it for words of any other", () => {
    const parsed = (...argv: string[]) => {
      const { command, operands, program, flags } = parse(...argv);
      return { name: command.name, operands, program, flags: [...flags.keys()] };
    };
    const about = { name: "expose", operands: ["shop/cart"] };
    assert.deepEqual(parsed("expose", "shop/cart"), { ...about, program: undefined, flags: [] });
    assert.deepEqual(parsed("expose", "shop/cart", "--"), { ...about, program: [], flags: [] });
    const words = ["npm", "run", "dev", "--", "--yes", "--short-names"];
    assert.deepEqual(parsed("expose", "--map", "1", "shop/cart", "--", ...words), {
      ...{ ...about, flags: ["map"] },
      program: words,
    });
    assert.deepEqual(parsed("--", "help", "list"), {
      ...{ name: "help", operands: ["list"], program: undefined },
      flags: [],
    });
    assert.deepEqual(parsed("--", "expose", "shop/cart"), { ...about, program: undefined, flags: [] });
  });

  for (const [argv, sentence] of [
    [["lsit"], 'There is no command "lsit"; did you mean "list"?'],
    [["dwon"], 'There is no command "dwon"; did you mean "down"?'],
    [["frobnicate"], 'There is no command "frobnicate"'],
    [["--contxt", "kind", "list"], 'There is no flag "--contxt"; did you mean "--context"?'],
    [["-z"], 'There is no flag "-z"'],
    [["down", "-o", "json"], 'There is no flag "-o" for "down"'],
    [["--output", "json"], 'There is no flag "--output" for the daemon'],
    [["--context"], 'Flag "--context" needs a value'],
    [["--context="], 'Flag "--context" needs a value'],
    [["--context", "--socket", "s"], 'Flag "--context" needs a value'],
    [["list", "shop"], 'Cannot use "shop": too many words for "list"'],
  ] as const) {
    it(`refuses ${argv.join(" ")}`, () => {
      assert.throws(() => parse(...argv), { code: "usage", message: sentence });
    });
  }
});
