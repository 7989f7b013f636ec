/** The scripts of package.json on a fresh clone, where nothing is installed but somebody's Node and npm. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { temporaryFolder } from "./support/temporary-folder.ts";

const root = join(import.meta.dirname, "..");

test("every script starts through run.mjs, which installs what it needs", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const [name, line] of Object.entries(scripts)) {
    const [, what = ""] = /^node scripts\/run\.mjs ([\w./-]+)( [^&|;]*)?$/.exec(String(line)) ?? [];
    const isThere = existsSync(join(root, what.includes(".") ? what : join("node_modules/.bin", what)));
    assert.ok(what !== "" && isThere, `${name}: ${line}`);
  }
});

/** A clone with an npm that writes down what it was asked for, and for `ci` makes two programs. */
function freshClone() {
  const folder = temporaryFolder();
  const { path } = folder;
  const calls = join(path, "calls");
  for (const file of ["package.json", "package-lock.json", "scripts/run.mjs"])
    cpSync(join(root, file), join(path, file));
  writeFileSync(join(path, "hello.mjs"), "console.log('hello', ...process.argv.slice(2)); process.exitCode = 3;\n");
  const tools = join(path, "tools");
  mkdirSync(tools);
  const program = (file: string, text: string) => {
    writeFileSync(file, text);
    chmodSync(file, 0o755);
  };
  program(
    join(tools, "npm"),
    `#!/bin/sh
echo "$*" >> ${calls}
mkdir -p ${path}/node_modules/.bin && ln -sf ${process.execPath} ${path}/node_modules/.bin/node
ln -sf ../../hello.sh ${path}/node_modules/.bin/hello
`,
  );
  program(join(path, "hello.sh"), `#!/bin/sh\necho "$(command -v node) $*"\n`);
  return {
    path,
    calls: () => (existsSync(calls) ? readFileSync(calls, "utf8") : ""),
    run: (...args: string[]) =>
      spawnSync(process.execPath, [join(path, "scripts/run.mjs"), ...args], {
        encoding: "utf8",
        env: { ...process.env, PATH: `${tools}:/usr/bin:/bin` },
      }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

describe("run.mjs", () => {
  it("installs once, and lets no dependency's script run but that of the package node", () => {
    using clone = freshClone();
    clone.run("hello.mjs");
    clone.run("hello.mjs");
    assert.equal(clone.calls(), "ci --ignore-scripts --no-audit --no-fund\nrebuild node --ignore-scripts=false\n");
  });

  it("hands arguments and exit code of a script through", () => {
    using clone = freshClone();
    const { stdout, status } = clone.run("hello.mjs", "a", "b c");
    assert.equal(stdout, "hello a b c\n");
    assert.equal(status, 3);
  });

  it("starts a program of the dependencies, which finds their Node", () => {
    using clone = freshClone();
    const { stdout, status } = clone.run("hello", "--write", ".");
    assert.equal(stdout, `${clone.path}/node_modules/.bin/node --write .\n`);
    assert.equal(status, 0);
  });
});
