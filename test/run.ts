/**
 * Runs the project's checks in order and stops at the first that fails: `ok` (format, lint, types, generated
 * code, units), `all` (ok, then the suites that need root, then those on the real cluster), `soak` (the long
 * ones, on both runtimes). What cannot run here says so in one line; with CI=true that is a failure.
 */
import { spawn } from "node:child_process";
import { glob, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { endStuckFiles } from "./support/end-stuck-files.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binary = (name: string) => join(root, "node_modules", ".bin", name);

// Biome colours what it prints into a file, too.
const biomeColours = process.stdout.isTTY ? [] : ["--colors=off"];

/** One check. Returns why it failed, or undefined. */
interface Step {
  readonly name: string;
  /** @param seconds how long each step so far took, by name */
  readonly run: (seconds: ReadonlyMap<string, number>) => Promise<string | undefined>;
}

const checks: readonly Step[] = [
  { name: "format and lint", run: () => command(binary("biome"), ["ci", "--error-on-warnings", ...biomeColours, "."]) },
  { name: "types", run: () => command(binary("tsc"), ["--noEmit"]) },
  { name: "wire contract", run: () => command(binary("buf"), ["lint"]) },
  { name: "generated code", run: generatedCode },
  {
    name: "units",
    run: () =>
      suite("**/*.test.ts", {
        without: /\.(root|cluster|soak|integration)\.test\.ts$/,
        timeoutMs: 120_000,
        atOnce: 3,
        first: /^test\/expose\//,
      }),
  },
];

const machine: readonly Step[] = [
  {
    name: "suites with other programs",
    run: () => suite("test/**/*.integration.test.ts", { timeoutMs: 600_000, atOnce: 2 }),
  },
  {
    name: "suites as root",
    run: () => asRoot(() => suite("test/**/*.root.test.ts", { timeoutMs: 300_000, atOnce: 2 })),
  },
];

const cluster: readonly Step[] = [
  {
    name: "the test cluster itself",
    run: () => asRoot(() => suite("test/cluster/*.cluster.test.ts", { timeoutMs: 1_800_000 })),
  },
  { name: "suites on the real cluster", run: (seconds) => asRoot(() => onCluster(isSlow(seconds) ? 2 : 4)) },
];

const soak: readonly Step[] = [
  { name: "soak on the current runtime", run: () => asRoot(() => soakOn("current")) },
  { name: "soak on Debian's runtime", run: () => asRoot(() => soakOn("debian")) },
];

const plans: Readonly<Record<string, readonly Step[]>> = { ok: checks, all: [...checks, ...machine, ...cluster], soak };

const [planName = "all"] = process.argv.slice(2);
const plan = plans[planName];
if (plan === undefined) {
  process.stderr.write(`Unknown plan "${planName}": want one of ${Object.keys(plans).join(", ")}\n`);
  process.exit(2);
}
process.exitCode = await runAll(plan);

async function runAll(steps: readonly Step[]): Promise<number> {
  // Modules are compiled once, not by each of the thousand programs that the suites start.
  using compiled = temporaryFolder();
  process.env.NODE_COMPILE_CACHE ??= compiled.path;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      compiled[Symbol.dispose]();
      process.kill(process.pid, signal);
    });
  }
  const report: string[] = [];
  const took = new Map<string, number>();
  let failure: string | undefined;
  for (const { name, run } of steps) {
    const startedMs = performance.now();
    process.stdout.write(`\n== ${name}\n`);
    failure = await run(took);
    const seconds = (performance.now() - startedMs) / 1000;
    took.set(name, seconds);
    const end = failure === undefined ? "ok    " : "FAILED";
    report.push(`${end} ${name}, ${seconds.toFixed(1)} s${failure ? `: ${failure}` : ""}`);
    if (failure !== undefined) break;
  }
  process.stdout.write(`\n${report.join("\n")}\n`);
  return failure === undefined ? 0 : 1;
}

/** The types take 2 s where two cores are quick; where they take much longer, four files at a time would starve each other. */
function isSlow(seconds: ReadonlyMap<string, number>): boolean {
  return (seconds.get("types") ?? 0) > 3;
}

async function onCluster(atOnce: number): Promise<string | undefined> {
  const { startCluster } = await import("./cluster/cluster.ts");
  await using _cluster = await startCluster({ log: (line) => process.stdout.write(`${line}\n`) });
  const timeoutMs = 600_000;
  // Those that break the cluster. The others wait most of their time, each in a namespace of its own.
  const alone = /\.alone\.cluster\.test\.ts$/;
  return (
    (await suite("test/**/*.alone.cluster.test.ts", { timeoutMs })) ??
    (await suite("test/**/*.cluster.test.ts", {
      without: new RegExp(`^test/cluster/|${alone.source}`),
      timeoutMs,
      atOnce,
      first: /^test\/expose\//,
    }))
  );
}

async function soakOn(runtime: "current" | "debian"): Promise<string | undefined> {
  const { startCluster } = await import("./cluster/cluster.ts");
  await using _cluster = await startCluster({ runtime, log: (line) => process.stdout.write(`${line}\n`) });
  return await suite("test/**/*.soak.test.ts", { timeoutMs: 3_600_000 });
}

/**
 * Runs test files through Node's own runner, whose summary is printed; one after the other unless told otherwise, by their names
 * but for those that are to be `first`. A test may take `timeoutMs`, a file three times as long.
 */
async function suite(
  pattern: string,
  options: { without?: RegExp; timeoutMs: number; atOnce?: number; first?: RegExp },
): Promise<string | undefined> {
  const files: string[] = [];
  for await (const file of glob(pattern, { cwd: root, exclude: ["node_modules/**", "dist/**"] })) {
    if (options.without?.test(file) !== true) files.push(file);
  }
  if (files.length === 0) return `no test file matches ${pattern}`;
  const isLater = (file: string) => Number(options.first?.test(file) !== true);
  files.sort((a, b) => isLater(a) - isLater(b) || (a < b ? -1 : 1));
  const flags = [
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${options.atOnce ?? 1}`,
    `--test-timeout=${options.timeoutMs}`,
  ];
  const stuck: string[] = [];
  const log = (line: string) => {
    stuck.push(line);
    process.stderr.write(`Ended by test/run.ts: ${line}\n`);
  };
  const watch = (pid: number) => endStuckFiles(pid, { fileTimeoutMs: 3 * options.timeoutMs, log });
  const failure = await command(process.execPath, [...flags, ...files], watch);
  return stuck.length === 0 ? failure : stuck.join(", ");
}

/** Suites that make namespaces, users and mounts. */
async function asRoot(run: () => Promise<string | undefined>): Promise<string | undefined> {
  const missing =
    process.platform !== "linux" ? "it needs Linux" : process.geteuid?.() !== 0 ? "it needs root" : undefined;
  if (missing === undefined) return await run();
  process.stdout.write(`not run: ${missing}\n`);
  return process.env.CI === "true" ? `${missing}, and in CI everything must run` : undefined;
}

/** Generates the wire code anew and compares it with what is committed. */
async function generatedCode(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "localizer-gen-"));
  try {
    const failure = await command(binary("buf"), ["generate", "--output", folder]);
    if (failure !== undefined) return failure;
    const differs = await command("diff", ["-r", join(folder, "src", "rpc", "gen"), join(root, "src", "rpc", "gen")]);
    return differs === undefined ? undefined : "src/rpc/gen is not what proto/ says: run `npm run generate`";
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs a program with our output, and something beside it. Returns how it failed, or undefined. */
function command(
  program: string,
  args: readonly string[],
  beside?: (pid: number) => Disposable,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const path = `${join(root, "node_modules", ".bin")}:${process.env.PATH ?? ""}`;
    const child = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, PATH: path },
    });
    const running = child.pid === undefined ? undefined : beside?.(child.pid);
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => {
      running?.[Symbol.dispose]();
      resolve(code === 0 ? undefined : `${basename(program)} ended with ${signal ?? code}`);
    });
  });
}
