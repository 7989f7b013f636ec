/** What the helper makes on the machine besides listeners: hosts block, socket link, runtime folder; and their end. */
import { readFile } from "node:fs/promises";
import { LocalizerError } from "../errors.ts";
import { type BlockOwner, blockOwners, withBlock } from "../hostsfile/block.ts";
import { HostsFile } from "../hostsfile/hosts-file.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import { type HelperConfig, hostsInstance } from "./config.ts";
import { LoopbackAliases } from "./loopback-alias.ts";
import { isForeign, isSameProcess, processIdentity } from "./process-identity.ts";
import { deadOwners, type RecoveryParts, removeDeadBlocks, removeRecorded } from "./recovery.ts";
import { makeRuntimeDirectory, removeRuntimeDirectory } from "./runtime-directory.ts";
import { checkedLink, makeLink, removeLink, type SocketLink } from "./socket-link.ts";
import { HelperState } from "./state.ts";
import { flushDnsCache, type HelperSystem, thisSystem } from "./system-commands.ts";

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
  readonly #system: HelperSystem;
  readonly #aliases: LoopbackAliases;
  readonly #removed: string[] = [];

  private constructor(
    config: HelperConfig,
    say: Say,
    { owner, state, system }: { owner: BlockOwner; state: HelperState | undefined; system: HelperSystem },
  ) {
    this.#system = system;
    this.#aliases = new LoopbackAliases(system, async () => {
      this.#isRecorded = false;
      await this.#record();
    });
    this.#config = config;
    this.#say = say;
    this.#owner = owner;
    this.#state = state;
  }

  /** Opens the state folder and removes what dead helpers have left. Failures are said, not thrown. */
  static async open(config: HelperConfig, say: Say, system: HelperSystem = thisSystem): Promise<Places> {
    const identity = (await processIdentity(process.pid)) ?? {
      pid: process.pid,
      startTime: "unknown",
      bootId: "unknown",
    };
    const owner = { ...identity, instance: hostsInstance(config.socketLink) };
    const attempt = trying(say);
    const state = await attempt(() => HelperState.open(config.stateDir, isRoot()));
    const places = new Places(config, say, { owner, state, system });
    const parts = places.#recoveryParts();
    if (state !== undefined) await attempt(() => removeRecorded(state, parts));
    await attempt(async () => removeDeadBlocks(await places.#hostsFile(), parts));
    return places;
  }

  /** What `open` has removed, in words. */
  get removed(): readonly string[] {
    return this.#removed;
  }

  /** Sees to it that the address can be bound. @throws LocalizerError as `LoopbackAliases.ensure` does */
  async ensureAddress(address: LoopbackAddress): Promise<void> {
    await this.#aliases.ensure(address);
  }

  /** Takes back what `ensureAddress` did. @throws LocalizerError as `LoopbackAliases.release` does */
  async release(address: string): Promise<void> {
    await this.#aliases.release(address);
  }

  /** @throws LocalizerError `conflict` when a living helper of the same socket holds the block */
  async writeHosts(entries: readonly HostsEntry[]): Promise<void> {
    const file = await this.#hostsFile();
    const before = await file.read();
    const dead = await deadOwners(before);
    const foreign = await foreignOwners(before);
    await this.#record();
    const isChanged = await file.update((bytes) => {
      const holder = blockOwners(bytes).find(
        (other) => this.#isRival(other) && !dead.some((one) => isSameProcess(one, other)),
      );
      if (holder === undefined) return withBlock(bytes, this.#owner, entries);
      const isForeignOne = foreign.some((one) => isSameProcess(one, holder));
      throw new LocalizerError("conflict", `Cannot write hosts file "${file.path}": ${held(holder, isForeignOne)}`);
    });
    if (isChanged) await flushDnsCache(this.#system);
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
    await attempt(() => this.#aliases.releaseAll());
    // What is left is told to the next start.
    if (!isHostsTidy || !isLinkTidy || this.#aliases.made.length > 0) return;
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

  async #removeOwnBlock(): Promise<true> {
    if (this.#hosts === undefined) return true;
    await this.#hosts.update((bytes) => {
      const isOurs = !blockOwners(bytes).some((other) => this.#isRival(other));
      return isOurs ? withBlock(bytes, this.#owner, []) : "unchanged";
    });
    return true;
  }

  #recoveryParts(): RecoveryParts {
    return {
      aliases: this.#aliases,
      runtimeBase: this.#config.runtimeBase,
      system: this.#system,
      hostsFile: async (path) => await HostsFile.at(path, await this.#hostsOptions()),
      removed: this.#removed,
    };
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
    const { made } = this.#aliases;
    const aliases = made.length === 0 ? {} : { aliases: made };
    await this.#state.record({ owner, hostsFile: this.#config.hostsFile, ...link, ...aliases });
    this.#isRecorded = true;
  }

  #isRival(other: BlockOwner): boolean {
    return other.instance === this.#owner.instance && !isSameProcess(other, this.#owner);
  }
}

async function foreignOwners(bytes: Buffer): Promise<readonly BlockOwner[]> {
  const owners = blockOwners(bytes);
  const foreign = await Promise.all(owners.map(isForeign));
  return owners.filter((_, index) => foreign[index]);
}

function held({ pid }: BlockOwner, isForeignOne: boolean): string {
  const who = `another localizer holds the block, process ${pid}`;
  return isForeignOne ? `${who} of another container; if that one is gone, remove the block by hand` : who;
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
