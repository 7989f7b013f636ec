/**
 * Builds Go commands once and keeps them (build-cache.ts), in a folder named by a hash of everything that went in.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cachedFolder } from "./build-cache.ts";
import { runCommand } from "./run-command.ts";

/** What to build. All of it goes into the hash. */
export interface GoBuild {
  /** Names the folder in the cache. */
  readonly name: string;
  /** Holds go.mod and go.sum; its files are part of the hash. */
  readonly sourceDir: string;
  /** Import paths; each becomes an executable named by its last element. */
  readonly packages: readonly string[];
  readonly flags?: readonly string[];
}

const progressIntervalMs = 15_000;

/** Builds unless it has been built, and returns the folder that holds the executables. */
export async function goBuild(build: GoBuild, log: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const env = goEnvironment();
  return cachedFolder(`${build.name}-${await hashInputs(build, env)}`, async (folder) => {
    const progress = new BuildProgress(build.name, log);
    try {
      const args = ["build", "-v", "-trimpath", ...(build.flags ?? []), "-o", `${folder}/`, ...build.packages];
      await runCommand("go", args, { cwd: build.sourceDir, env, signal, onErrorLine: (line) => progress.line(line) });
      progress.finished();
    } finally {
      progress.stop();
    }
  });
}

function goEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    CGO_ENABLED: "0",
    GOTOOLCHAIN: "local",
    GOFLAGS: "-mod=readonly -buildvcs=false",
    GOWORK: "off",
  };
}

async function hashInputs(build: GoBuild, env: NodeJS.ProcessEnv): Promise<string> {
  const hash = createHash("sha256");
  const toolchain = await runCommand("go", ["env", "GOVERSION", "GOOS", "GOARCH"], { env }).catch((error: unknown) => {
    throw new Error("Cannot build the test cluster without Go 1.26.6 or newer on PATH", { cause: error });
  });
  hash.update(JSON.stringify([toolchain, build.packages, build.flags ?? []]));
  for (const file of (await readdir(build.sourceDir)).sort()) {
    hash.update(JSON.stringify(file)).update(await readFile(join(build.sourceDir, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** Says every 15 seconds how long it has taken and which package is compiled. */
class BuildProgress {
  readonly #name: string;
  readonly #log: (line: string) => void;
  readonly #start = performance.now();
  readonly #timer: NodeJS.Timeout;
  #compiled = 0;
  #last = "resolving modules";

  constructor(name: string, log: (line: string) => void) {
    this.#name = name;
    this.#log = log;
    this.#timer = setInterval(() => this.#report(), progressIntervalMs);
    log(`Building ${name} from Go modules (minutes the first time, then kept)`);
  }

  /** Takes one line of `go build -v`: a package, or a module that is downloaded. */
  line(line: string): void {
    if (!line.startsWith("go: ")) this.#compiled++;
    this.#last = line.replace(/^go: /, "");
  }

  finished(): void {
    this.#log(`Built ${this.#name} in ${this.#elapsed()}`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #report(): void {
    this.#log(`  ${this.#name}: ${this.#elapsed()}, ${this.#compiled} packages compiled, now ${this.#last}`);
  }

  #elapsed(): string {
    const seconds = Math.round((performance.now() - this.#start) / 1000);
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
}
