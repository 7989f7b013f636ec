/**
 * One daemon of a user for each cluster: a file in his runtime folder says who serves it, and it counts as long as that very
 * process runs. Promises one holder at most, whoever starts at once and whoever is killed in between.
 *
 * A claim appears complete or not at all (written aside, then linked). A dead holder's is replaced only by who holds the lock
 * named after it, and looks again once it has the lock. Whoever died with such a lock is a dead holder himself, with a lock of
 * his own name, and so on. Names are never used twice, so a late-comer with an old view finds that it is old.
 */
import { createHash, randomUUID } from "node:crypto";
import { link, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Clock, systemClock } from "../clock.ts";
import { errnoOf, LocalizerError } from "../errors.ts";
import { isRunning, type ProcessIdentity, processIdentity } from "../helper/process-identity.ts";
import { type ClaimHolder, formatHolder, isReadable, readHolder } from "./claim-holder.ts";

/** How long somebody who is just taking over may take. */
const patienceMs = 5_000;
const pollMs = 20;

/** Which cluster is claimed, where and for whom. */
export interface ClusterClaimOptions {
  /** The user's own folder. */
  readonly folder: string;
  /** The API server's URL: it decides what is one cluster. */
  readonly serverUrl: string;
  /** What the user calls it. */
  readonly clusterName: string;
  /** The sockets that commands find by themselves, for whoever is refused. */
  readonly foundSockets?: readonly string[];
  readonly clock?: Clock;
  /** This process, if not the one that runs. */
  readonly identity?: ProcessIdentity;
}

/** A cluster that is this process's until it is disposed. */
export interface ClusterClaim extends AsyncDisposable {
  /** Says where this daemon answers from now on, for whoever is refused. Never throws: a failure costs him that alone. */
  answersOn(socketPath: string): Promise<void>;
}

/**
 * Claims the cluster until it is disposed.
 * @throws LocalizerError `conflict` when another daemon of this user serves it; `denied` and the like when the folder cannot
 * be used
 */
export async function claimCluster(options: ClusterClaimOptions): Promise<ClusterClaim> {
  const { folder, serverUrl, clusterName, foundSockets = [], clock = systemClock } = options;
  const identity = options.identity ?? (await processIdentity(process.pid));
  if (identity === undefined) throw new LocalizerError("internal", "Cannot tell which process this is");
  const digest = createHash("sha256").update(serverUrl).digest("hex").slice(0, 16);
  const path = join(folder, `claim-${digest}`);
  // Where it will answer only its helper decides; whoever is refused meanwhile is told the process.
  const mine = { ...identity, nonce: randomUUID(), socketPath: "", clusterName };
  const draft = `${path}.new-${mine.nonce}`;
  try {
    await writeSynced(draft, formatHolder(mine));
    await take({ path, draft, mine, clock, foundSockets });
  } catch (error) {
    throw LocalizerError.wrap(error, `Cannot serve cluster "${clusterName}"`);
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
  return {
    async answersOn(socketPath) {
      const text = formatHolder({ ...mine, socketPath });
      try {
        await writeSynced(draft, text);
        // Still ours, as below; and by the same name, so that nobody takes it for another claim.
        if ((await readHolder(path))?.nonce === mine.nonce) await rename(draft, path);
      } catch {
        // What it said before stands.
      } finally {
        await rm(draft, { force: true }).catch(() => {});
      }
    },
    async [Symbol.asyncDispose]() {
      // Nobody replaces a living holder's, so what is ours now stays ours until it is removed.
      const holder = await readHolder(path).catch(() => undefined);
      if (holder?.nonce === mine.nonce) await rm(path, { force: true }).catch(() => {});
    },
  };
}

interface Attempt {
  readonly path: string;
  readonly draft: string;
  readonly mine: ClaimHolder;
  readonly clock: Clock;
  readonly foundSockets: readonly string[];
}

async function take(attempt: Attempt): Promise<void> {
  const { path, draft, clock, foundSockets } = attempt;
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    if (await linked(draft, path)) return;
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (await isRunning(holder)) throw held(holder, foundSockets);
    const rival = await takeOver(attempt, holder);
    if (rival === undefined) return;
    // Somebody else is about to have it, or has just let go.
    if (rival !== "again" && clock.monotonic() >= deadline) throw held(rival, foundSockets);
    await clock.sleep(pollMs);
  }
}

/** Undefined when it is ours; else who is taking it over just now, or that one has to look again. */
async function takeOver({ path, draft, mine }: Attempt, dead: ClaimHolder): Promise<ClaimHolder | "again" | undefined> {
  let last = dead;
  for (;;) {
    const lock = lockOf(path, last);
    if (await linked(draft, lock)) {
      try {
        // Whoever had the lock before may have finished.
        if ((await readHolder(path))?.nonce !== dead.nonce) return "again";
        const claim = `${path}.claim-${mine.nonce}`;
        await link(draft, claim);
        await rename(claim, path);
      } finally {
        await rm(lock, { force: true });
      }
      await removeLeftovers(path);
      return undefined;
    }
    const rival = await readHolder(lock);
    if (rival === undefined) return "again";
    if (await isRunning(rival)) return rival;
    last = rival;
  }
}

function lockOf(path: string, { nonce }: ClaimHolder): string {
  return `${path}.after-${nonce}`;
}

/** Drafts and locks of the dead. No lock but one named after the claim of now, which is ours, means anything any more. */
async function removeLeftovers(path: string): Promise<void> {
  const prefixes = ["new-", "claim-", "after-"].map((what) => `${basename(path)}.${what}`);
  for (const name of await readdir(dirname(path))) {
    if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
    const left = join(dirname(path), name);
    const writer = await readHolder(left).catch(() => undefined);
    // One that says nothing is just being written.
    if (writer === undefined || !isReadable(writer) || (await isRunning(writer))) continue;
    await rm(left, { force: true });
  }
}

/** False when there is something of that name already. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    // A claim that a power cut left empty would look like nobody's.
    await file.sync();
  } finally {
    await file.close();
  }
}

function held({ pid, socketPath }: ClaimHolder, foundSockets: readonly string[]): LocalizerError {
  if (socketPath === "") {
    return new LocalizerError("conflict", `another localizer of yours is about to, process ${pid}`);
  }
  const stop = foundSockets.includes(socketPath) ? "localizer down" : `localizer down --socket ${socketPath}`;
  const sentence = `another localizer of yours does, process ${pid} (socket ${socketPath}); "${stop}" stops it`;
  return new LocalizerError("conflict", sentence);
}
