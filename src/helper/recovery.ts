/**
 * What dead helpers have left, removed by the next one: what their records name, and their blocks in the hosts file.
 * Promises that nothing of one that lives is touched. Used by places.ts at its start.
 */
import { lstatSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type BlockOwner, blockOwners, withBlock } from "../hostsfile/block.ts";
import type { HostsFile } from "../hostsfile/hosts-file.ts";
import type { LoopbackAliases } from "./loopback-alias.ts";
import { isRunning, isSameProcess } from "./process-identity.ts";
import { removeRuntimeDirectory } from "./runtime-directory.ts";
import { removeLink, type SocketLink } from "./socket-link.ts";
import type { HelperState } from "./state.ts";
import { flushDnsCache, type HelperSystem } from "./system-commands.ts";

/** What it works with. */
export interface RecoveryParts {
  readonly aliases: Pick<LoopbackAliases, "tidy">;
  readonly runtimeBase: string;
  readonly system: HelperSystem;
  /** @throws LocalizerError when there is no such file or root must not write there */
  readonly hostsFile: (path: string) => Promise<HostsFile>;
  /** Gets what was removed, a few words each. */
  readonly removed: string[];
}

/** Undoes what the records of dead helpers name, and forgets those of which nothing is left. */
export async function removeRecorded(state: HelperState, parts: RecoveryParts): Promise<void> {
  const records = await state.records();
  const alive = await Promise.all(records.map(({ owner }) => isRunning(owner)));
  const inUse = new Set(records.flatMap(({ aliases = [] }, index) => (alive[index] ? aliases : [])));
  for (const record of records.filter((_, index) => !alive[index])) {
    const aliases = await parts.aliases.tidy(record.aliases ?? [], inUse);
    if (aliases > 0) parts.removed.push(`${aliases} addresses of the loopback interface`);
    const isLinkGone = record.link === undefined || (await removeRecordedLink(record.link, parts));
    const file = await parts.hostsFile(record.hostsFile).catch(() => undefined);
    await file?.removeLeftover(record.owner.pid);
    if (file !== undefined) await removeDeadBlocks(file, parts);
    if (isLinkGone) await state.forget(record.owner.pid);
  }
}

/** Removes the blocks of which no process of their localizer lives any more. */
export async function removeDeadBlocks(
  file: HostsFile,
  { system, removed }: Pick<RecoveryParts, "system" | "removed">,
): Promise<void> {
  const dead = await deadOwners(await file.read());
  let gone: readonly BlockOwner[] = [];
  const isChanged = await file.update((bytes) => {
    const owners = blockOwners(bytes);
    const isDead = (owner: BlockOwner) => dead.some((one) => isSameProcess(one, owner));
    const living = new Set(owners.filter((owner) => !isDead(owner)).map(({ instance }) => instance));
    gone = owners.filter((owner) => !living.has(owner.instance));
    return gone.reduce((text, owner) => changed(withBlock(text, owner, []), text), bytes);
  });
  if (!isChanged) return;
  removed.push(...gone.map(({ pid }) => `the block of process ${pid} in "${file.path}"`));
  await flushDnsCache(system);
}

/** The owners of blocks in the file whose processes run no more. */
export async function deadOwners(bytes: Buffer): Promise<readonly BlockOwner[]> {
  const owners = blockOwners(bytes);
  const alive = await Promise.all(owners.map(isRunning));
  return owners.filter((_, index) => !alive[index]);
}

/** With the dead socket behind it, where that lies in a runtime folder that a helper made. */
async function removeRecordedLink(link: SocketLink, { runtimeBase, removed }: RecoveryParts): Promise<boolean> {
  const wasThere = isThere(link.path);
  if (!(await removeLink(link))) return false;
  if (wasThere && !isThere(link.path)) removed.push(`the link "${link.path}"`);
  const folder = dirname(link.target);
  const isMade = dirname(folder) === runtimeBase && /^localizer-\d+$/.test(basename(folder));
  if (!isMade || !isThere(folder)) return true;
  await removeRuntimeDirectory(folder, link.target);
  if (!isThere(folder)) removed.push(`the runtime folder "${folder}"`);
  return true;
}

function changed(result: Buffer | "unchanged", before: Buffer): Buffer {
  return result === "unchanged" ? before : result;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
