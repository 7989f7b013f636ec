/** Where one localizer writes and listens, so that it touches nothing of the machine's, and what can be seen there from outside. */
import { readFileSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../cluster/wait.ts";
import { readHosts } from "./hosts-text.ts";
import { parseListeners } from "./proc-format.ts";

const before = "127.0.0.1 localhost\n";
const pollMs = 5;

/** Disposing removes its files. */
export interface LocalizerPlace extends AsyncDisposable {
  /** localizer's flags that lead there, by name without the dashes. */
  readonly flags: Readonly<Record<string, string>>;
  /** Where it claims its cluster, so that others on this machine may serve the same. */
  readonly env: NodeJS.ProcessEnv;
  readonly hostsFile: string;
  /** The address of each name in the hosts file. */
  names(): Promise<ReadonlyMap<string, string>>;
  /** Resolves to the names when `isThere` says so of them; looks whenever the file has changed. */
  waitForNames(
    isThere: (names: ReadonlyMap<string, string>) => boolean,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<string, string>>;
  /** Whoever listens in the range of addresses, as `127.100.3.4:7000`. */
  listeners(): ReadonlySet<string>;
  /** What localizer left behind: undefined when the hosts file is as before and nobody listens. */
  leftover(): string | undefined;
}

/** Makes it, with addresses that no other place on this machine is likely to have. */
export async function openPlace(): Promise<LocalizerPlace> {
  const folder = await mkdtemp(join(tmpdir(), "localizer-bench-run-"));
  const hostsFile = join(folder, "hosts");
  await writeFile(hostsFile, before);
  const prefix = `127.${100 + Math.floor(Math.random() * 100)}.`;
  const listeners = () => {
    const all = parseListeners(readFileSync("/proc/self/net/tcp", "utf8"));
    return new Set(all.filter((address) => address.startsWith(prefix)));
  };
  const names = async () => readHosts(await readFile(hostsFile, "utf8"));
  return {
    flags: {
      "hosts-file": hostsFile,
      socket: join(folder, "socket"),
      "root-state-dir": join(folder, "root-state"),
      "state-dir": join(folder, "state"),
      "ip-cidr": `${prefix}0.0/16`,
    },
    env: { TMPDIR: folder, XDG_RUNTIME_DIR: "" },
    hostsFile,
    names,
    waitForNames(isThere, { timeoutMs, signal }) {
      let seen: string | undefined;
      return waitFor(
        "names in the hosts file",
        async () => {
          // Replaced by rename: another inode is another text.
          const { ino, mtimeMs, size } = statSync(hostsFile);
          const state = `${ino} ${mtimeMs} ${size}`;
          if (state === seen) return false;
          seen = state;
          const found = await names();
          return isThere(found) && found;
        },
        { timeoutMs, intervalMs: pollMs, signal },
      );
    },
    listeners,
    leftover() {
      if (readFileSync(hostsFile, "utf8") !== before) return "the hosts file is not as it was";
      const { size } = listeners();
      return size === 0 ? undefined : `${size} listeners are left`;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
