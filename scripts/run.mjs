// Runs a script of this project on any Node: `node scripts/run.mjs FILE.ts [args]`, or a program of its dependencies:
// `node scripts/run.mjs biome [args]`. Brings the locked dependencies up to date first (they include the Node that
// the project runs on), then hands over to that Node. Plain JavaScript, no imports but Node's own, because on a fresh
// clone there is nothing else.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, "node_modules", ".localizer-lock");
const bin = join(root, "node_modules", ".bin");
const node = join(bin, "node");
const stamp = createHash("sha256")
  .update(readFileSync(join(root, "package.json")))
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

if (!existsSync(node) || !existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  process.stderr.write("Installing the locked dependencies (npm ci)\n");
  // No dependency runs a script of its own (npm before 11 knows no allowScripts), but for the package
  // `node`, which fetches the program that way.
  npm("ci", "--ignore-scripts", "--no-audit", "--no-fund");
  npm("rebuild", "node", "--ignore-scripts=false");
  writeFileSync(stampFile, stamp);
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write("usage: node scripts/run.mjs FILE.ts|PROGRAM [args]\n");
  process.exit(2);
}
// A program's name has no ending. Those that are scripts ask for "node", and shall get ours.
const child = script.includes(".")
  ? spawn(node, [join(root, script), ...args], { stdio: "inherit" })
  : spawn(join(bin, script), args, {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` },
    });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`Cannot start ${child.spawnfile}: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));

function npm(...args) {
  const { status, error } = spawnSync("npm", args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (status === 0) return;
  process.stderr.write(`Cannot install the dependencies: npm ${args[0]} ended with ${error?.message ?? status}\n`);
  process.exit(1);
}
