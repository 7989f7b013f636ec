/** The completion scripts in the shells that they are for; those that the machine has not are installed. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { before, describe, it } from "node:test";
import { openFakeDaemon } from "../rpc/fake-daemon.ts";
import { installPrograms } from "../support/debian-package.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const program = join(import.meta.dirname, "../../bin/localizer.ts");

/** A `localizer` in a PATH, and a folder with a file in it. */
function installed(): Disposable & { readonly folder: string; readonly path: string } {
  const folder = temporaryFolder();
  const command = join(folder.path, "localizer");
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  chmodSync(command, 0o755);
  const path = [folder.path, process.env.PATH].join(delimiter);
  return { folder: folder.path, path, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** Runs a script beside the daemon that lives in this process. */
async function run(shell: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  // Settings of whoever runs the tests are none of the program's here.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("LOCALIZER_"));
  const child = spawn(shell, args, { env: { ...Object.fromEntries(own), ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(err, "");
  return out.split("\n").filter((line) => line !== "");
}

before(() => installPrograms("bash", "zsh", "fish"));

describe("completion bash", () => {
  /** What bash would offer after these words, of which it gets the pieces that it makes itself. */
  const script = [
    "source <(localizer completion bash)",
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))',
    "_localizer",
    "declare -p COMPREPLY",
  ].join("; ");
  const offered = (env: NodeJS.ProcessEnv, ...words: readonly string[]) =>
    run("bash", ["--norc", "-c", script, "bash", "localizer", ...words], env).then(([line = ""]) =>
      [...line.matchAll(/\[\d+\]="([^"]*)"/g)].map(([, word]) => word),
    );

  it("completes commands, flags, values and Services", async () => {
    using place = installed();
    await using daemon = await openFakeDaemon();
    const env = { PATH: place.path, LOCALIZER_SOCKET: daemon.socketPath };
    assert.deepEqual(await offered(env, "p"), ["ping"]);
    assert.deepEqual(await offered(env, "list", "--out"), ["--output"]);
    assert.deepEqual(await offered(env, "list", "--output", "=", "j"), ["json"]);
    assert.deepEqual(await offered(env, "wait", ""), ["bank/ledger", "shop/cart"]);
    assert.deepEqual(await offered(env, "wait", "shop/"), ["shop/cart"]);
    assert.deepEqual(await offered({ ...env, LOCALIZER_SOCKET: join(place.folder, "none") }, "wait", ""), []);
  });

  it("is a script that bash takes, and is bound to the program", () => {
    using place = installed();
    const bound = "source <(localizer completion bash) && complete -p localizer";
    const out = execFileSync("bash", ["--norc", "-euc", bound], { env: { ...process.env, PATH: place.path } });
    assert.equal(String(out).trim(), "complete -F _localizer localizer");
  });
});

describe("completion zsh", () => {
  /** What zsh would show after these words: what its own functions are called with. */
  const script = [
    "autoload -Uz compinit && compinit -u -D",
    "source <(localizer completion zsh)",
    '[[ "$_comps[localizer]" == _localizer ]] || print unbound',
    '_describe() { shift 2; print -rl -- "$' + '{(@P)1}" }',
    'compset() { print -r -- "without $2" }; _files() { print files }',
    'words=("$@"); CURRENT=$#; _localizer',
  ].join("\n");
  const offered = (env: NodeJS.ProcessEnv, ...words: readonly string[]) =>
    run("zsh", ["-f", "-c", script, "zsh", "localizer", ...words], env);

  it("completes commands, values, files and Services", async () => {
    using place = installed();
    await using daemon = await openFakeDaemon();
    const env = { PATH: place.path, LOCALIZER_SOCKET: daemon.socketPath };
    assert.match((await offered(env, "pi")).join(), /^ping:say /);
    assert.deepEqual(await offered(env, "list", "--output=j"), ["--output=json:"]);
    assert.deepEqual(await offered(env, "--kubeconfig=/e"), ["without --*=", "files"]);
    assert.deepEqual(await offered(env, "wait", "s"), ["shop/cart:running"]);
  });
});

describe("completion fish", () => {
  it("completes commands, values and Services", async () => {
    using place = installed();
    await using daemon = await openFakeDaemon();
    const env = { PATH: place.path, LOCALIZER_SOCKET: daemon.socketPath, HOME: place.folder };
    const offered = (line: string) =>
      run("fish", ["--no-config", "-c", `localizer completion fish | source; complete -C "${line}"`], env);
    assert.match((await offered("localizer p")).join(), /^ping\t/);
    assert.deepEqual(await offered("localizer list --output=j"), ["--output=json"]);
    assert.deepEqual(await offered("localizer wait s"), ["shop/cart\trunning"]);
  });
});
