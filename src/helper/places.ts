/** What the helper makes on the machine besides listeners: hosts block, socket link, runtime folder; and their end. */
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { LocalizerError } from "../errors.ts";
import { type BlockOwner, blockOwners, withBlock } from "../hostsfile/block.ts";
import { HostsFile } from "../hostsfile/hosts-file.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { type HelperConfig, hostsInstance } from "./config.ts";
import { isRunning, type ProcessIdentity, processIdentity } from "./process-identity.ts";
import { makeRuntimeDirectory, removeRuntimeDirectory } from "./runtime-directory.ts";
import { checkedLink, makeLink, removeLink, type SocketLink } from "./socket-link.ts";
import { HelperState } from "./state.ts";

/** Tells the person at the terminal one sentence. */
export type Say = (sentence: string) => void;

/** One helper's places. Calls must not overlap. */
export class Places {
  readonly #config: HelperConfig;
  readonly #say: Say;
  readonly #owner: BlockOwner;
  readonly #state: HelperState | undefined;
  #hosts: HostsFile | undefined;
  #link: SocketLink | undefined;
  #runtimeDirectory: string | undefined;
  #isRecorded = false;

  private constructor(config: HelperConfig, say: Say, owner: BlockOwner, state: HelperState | undefined) {
    this.#config = config;
    this.#say = say;
    this.#owner = owner;
    this.#state = state;
  }

  /** Opens the state folder and removes what dead helpers have left. Failures are said, not thrown. */
  static async open(config: HelperConfig, say: Say): Promise<Places> {
    const identity = (await processIdentity(process.pid)) ?? {
      pid: process.pid,
      startTime: "unknown",
      bootId: "unknown",
    };
    const owner = { ...identity, instance: hostsInstance(config.socketLink) };
    const attempt = trying(say);
    const state = await attempt(() => HelperState.open(config.stateDir, isRoot()));
    const places = new Places(config, say, owner, state);
    await attempt(() => places.#tidyRecorded());
    await attempt(async () => places.#removeDeadBlocks(await places.#hostsFile()));
    return places;
  }

  /** @throws LocalizerError `conflict` when a living helper of the same socket holds the block */
  async writeHosts(entries: readonly HostsEntry[]): Promise<void> {
    const file = await this.#hostsFile();
    const dead = await deadOwners(await file.read());
    await this.#record();
    await file.update((bytes) => {
      const holder = blockOwners(bytes).find(
        (other) => this.#isRival(other) && !dead.some((one) => isSame(one, other)),
      );
      if (holder === undefined) return withBlock(bytes, this.#owner, entries);
      throw new LocalizerError(
        "conflict",
        `Cannot write hosts file "${file.path}": another localizer holds the block, process ${holder.pid}`,
      );
    });
  }

  /** @throws LocalizerError `conflict` when the path is taken, `denied` when one of the folders is not trusted */
  async link(target: string): Promise<void> {
    const link = await checkedLink(this.#config.socketLink, target, this.#config.user.uid, isRoot());
    this.#link = link;
    this.#isRecorded = false;
    await this.#record();
    await makeLink(link);
  }

  /** @throws LocalizerError `denied` when something else stands there */
  async runtimeDirectory(): Promise<string> {
    this.#runtimeDirectory = await makeRuntimeDirectory(this.#config.runtimeBase, this.#config.user);
    return this.#runtimeDirectory;
  }

  /**
   * Takes back block, link and runtime folder. Failures are said, not thrown. May be called again. A link that somebody
   * answers behind stays, unless it is our own user's part that asked for the end, whose server outlives this.
   */
  async tidy(isAsked = false): Promise<void> {
    const attempt = trying(this.#say);
    const { pid } = this.#owner;
    const isHostsTidy = await attempt(() => this.#removeOwnBlock());
    const isLinkTidy = await attempt(() => this.#removeOwnLink(isAsked));
    // What is left is told to the next start.
    if (!isHostsTidy || !isLinkTidy) return;
    await this.#state?.forget(pid);
    this.#isRecorded = false;
  }

  async #removeOwnLink(isAsked: boolean): Promise<boolean> {
    const link = this.#link;
    const directory = this.#runtimeDirectory;
    if (link !== undefined && !(await removeLink(link, isAsked))) return false;
    if (directory !== undefined) await removeRuntimeDirectory(directory, link?.target, isAsked);
    // By the next call the same path may be another's.
    this.#link = undefined;
    this.#runtimeDirectory = undefined;
    return true;
  }

  /** With the dead socket behind it, where that lies in a runtime folder that a helper made. */
  async #removeRecordedLink(link: SocketLink): Promise<boolean> {
    if (!(await removeLink(link))) return false;
    const folder = dirname(link.target);
    const isMade = dirname(folder) === this.#config.runtimeBase && /^localizer-\d+$/.test(basename(folder));
    if (isMade) await removeRuntimeDirectory(folder, link.target);
    return true;
  }

  async #removeOwnBlock(): Promise<true> {
    if (this.#hosts === undefined) return true;
    await this.#hosts.update((bytes) => {
      const isOurs = !blockOwners(bytes).some((other) => this.#isRival(other));
      return isOurs ? withBlock(bytes, this.#owner, []) : "unchanged";
    });
    return true;
  }

  async #tidyRecorded(): Promise<void> {
    for (const record of (await this.#state?.records()) ?? []) {
      if (await isRunning(record.owner)) continue;
      const isLinkGone = record.link === undefined || (await this.#removeRecordedLink(record.link));
      const file = await HostsFile.at(record.hostsFile, await this.#hostsOptions()).catch(() => undefined);
      await file?.removeLeftover(record.owner.pid);
      if (file !== undefined) await this.#removeDeadBlocks(file);
      if (isLinkGone) await this.#state?.forget(record.owner.pid);
    }
  }

  async #removeDeadBlocks(file: HostsFile): Promise<void> {
    const dead = await deadOwners(await file.read());
    await file.update((bytes) => {
      const owners = blockOwners(bytes);
      const isDead = (owner: BlockOwner) => dead.some((one) => isSame(one, owner));
      const living = new Set(owners.filter((owner) => !isDead(owner)).map(({ instance }) => instance));
      return owners
        .filter((owner) => !living.has(owner.instance))
        .reduce((text, owner) => changed(withBlock(text, owner, []), text), bytes);
    });
  }

  async #hostsFile(): Promise<HostsFile> {
    this.#hosts ??= await HostsFile.at(this.#config.hostsFile, await this.#hostsOptions());
    return this.#hosts;
  }

  async #hostsOptions() {
    const enforce = await readFile("/sys/fs/selinux/enforce", "latin1").catch(() => "");
    return {
      asRoot: isRoot(),
      alwaysInPlace: enforce.startsWith("1"),
      beforeWrite: async (bytes: Buffer) => this.#state?.backUp(this.#config.hostsFile, bytes),
    };
  }

  async #record(): Promise<void> {
    if (this.#isRecorded || this.#state === undefined) return;
    const { instance: _, ...owner } = this.#owner;
    const link = this.#link === undefined ? {} : { link: this.#link };
    await this.#state.record({ owner, hostsFile: this.#config.hostsFile, ...link });
    this.#isRecorded = true;
  }

  #isRival(other: BlockOwner): boolean {
    return other.instance === this.#owner.instance && !isSame(other, this.#owner);
  }
}

async function deadOwners(bytes: Buffer): Promise<readonly BlockOwner[]> {
  const owners = blockOwners(bytes);
  const alive = await Promise.all(owners.map(isRunning));
  return owners.filter((_, index) => !alive[index]);
}

function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTime === b.startTime && a.bootId === b.bootId;
}

function changed(result: Buffer | "unchanged", before: Buffer): Buffer {
  return result === "unchanged" ? before : result;
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function trying(say: Say) {
  return async <T>(run: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await run();
    } catch (error) {
      say(LocalizerError.from(error).message);
      return undefined;
    }
  };
}
