/**
 * localizer as a user runs it, from the sources or an installed package, with hosts file and socket of the test's
 * own. Disposing ends it and removes everything.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../cluster/wait.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type ProgramEnd, runProgram } from "./by-name.ts";

/** How to start it. */
export interface LocalizerOptions {
  readonly kubeconfig: string;
  /** What the hosts file holds before. */
  readonly hosts?: string | Buffer;
  /** Further flags. */
  readonly flags?: readonly string[];
  /** The words before the flags: by default this Node and the sources. */
  readonly command?: readonly string[];
  /** For the words that need no daemon, such as `list`; by default `command`. */
  readonly client?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Uses the files of an earlier run instead of new ones. */
  readonly place?: LocalizerPlace;
}

/** Where a run keeps its files. */
export interface LocalizerPlace extends Disposable {
  readonly hostsFile: string;
  readonly socket: string;
  /** Root's. */
  readonly rootStateDir: string;
  /** The user's; made by localizer. */
  readonly stateDir: string;
  /** Where its addresses are from: nobody else's, for two that serve one Service would want the same one. */
  readonly range: string;
  /** Where this run alone claims its cluster, if no user is put on who loses the environment. */
  readonly env: NodeJS.ProcessEnv;
}

/** A run whose services are all served. */
export interface LocalizerRun extends AsyncDisposable {
  readonly place: LocalizerPlace;
  readonly child: ChildProcess;
  /** The line that ends the start. */
  readonly summary: string;
  /** All that it has printed so far. */
  output(): string;
  hosts(): string;
  /** The address that the hosts file gives to a name. */
  addressOf(name: string): string;
  /** Runs another command of the program against it. */
  cli(...args: readonly string[]): Promise<ProgramEnd>;
  readonly exited: Promise<number | NodeJS.Signals>;
}

const project = join(import.meta.dirname, "../..");

/** From the sources, with this Node. */
export const fromSources: readonly string[] = [process.execPath, join(project, "bin/localizer.ts")];

/** Files for a run: everybody may read them, only root may change them. */
export function localizerPlace(hosts: string | Buffer): LocalizerPlace {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  const hostsFile = join(folder.path, "hosts");
  writeFileSync(hostsFile, hosts);
  const rootStateDir = join(folder.path, "root-state");
  mkdirSync(rootStateDir, { mode: 0o755 });
  // Whatever user localizer runs as shall be able to make its own folder in it.
  const users = join(folder.path, "users");
  mkdirSync(users);
  chmodSync(users, 0o1777);
  return {
    hostsFile,
    socket: join(folder.path, "localizer.sock"),
    rootStateDir,
    stateDir: join(users, "state"),
    range: ownRange(),
    env: { TMPDIR: users, XDG_RUNTIME_DIR: "" },
    [Symbol.dispose]: folder[Symbol.dispose],
  };
}

/** 1,022 addresses of the upper half of loopback, by chance: suites run side by side. */
function ownRange(): string {
  const block = randomInt(8_192);
  return `127.${128 + (block >> 6)}.${(block & 63) * 4}.0/22`;
}

/** Starts it and waits until it serves. Throws with its output when it does not. */
export async function startLocalizer(options: LocalizerOptions): Promise<LocalizerRun> {
  const place = options.place ?? localizerPlace(options.hosts ?? "127.0.0.1 localhost\n");
  const { command = fromSources, client = command, flags = [], env = process.env } = options;
  const files = [
    `--hosts-file=${place.hostsFile}`,
    `--socket=${place.socket}`,
    `--root-state-dir=${place.rootStateDir}`,
    `--state-dir=${place.stateDir}`,
    `--ip-cidr=${place.range}`,
  ];
  const [program = "", ...words] = [...command, `--kubeconfig=${options.kubeconfig}`, ...files, ...flags];
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, ...place.env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal ?? 1));
  });
  const summary = () => /^\d+ services of .*$/m.exec(output)?.[0];
  let ended: number | NodeJS.Signals | undefined;
  exited.then(
    (end) => {
      ended = end;
    },
    () => {},
  );
  const found = await waitFor("localizer to serve", () => summary() ?? (ended !== undefined && "ended"), {
    timeoutMs: 30_000,
    intervalMs: 20,
  }).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw new Error(`localizer did not start:\n${output}`, { cause: error });
  });
  if (ended !== undefined) throw new Error(`localizer ended with ${ended}:\n${output}`);

  const hosts = () => readFileSync(place.hostsFile, "latin1");
  return {
    place,
    child,
    summary: found,
    exited,
    output: () => output,
    hosts,
    addressOf: (name) => addressIn(hosts(), name),
    cli(...args) {
      const [clientProgram = "", ...clientWords] = [...client, `--socket=${place.socket}`, ...args];
      return runProgram(clientProgram, clientWords, { env });
    },
    async [Symbol.asyncDispose]() {
      if (ended === undefined) child.kill("SIGTERM");
      await exited;
      if (options.place === undefined) place[Symbol.dispose]();
    },
  };
}

/** The address of a name in a hosts file's text. Throws when it has none. */
export function addressIn(hosts: string, name: string): string {
  for (const line of hosts.split(/\r?\n/)) {
    const [address, ...names] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    if (address !== undefined && names.includes(name)) return address;
  }
  throw new Error(`no address for "${name}" in:\n${hosts}`);
}
