/**
 * The hosts file on disk: read, let the caller compute, write.
 * Promises that a reader sees the old file or the new one (in place, where the file cannot be replaced: never a cut one), that
 * a change made by somebody else meanwhile is kept, and that equal bytes write nothing. Used by the helper.
 */
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { type FileFacts, type PathReader, resolvePath } from "./trusted-path.ts";

/** An open file. */
export interface HostsHandle extends AsyncDisposable {
  stat(): Promise<FileFacts>;
  readAll(): Promise<Buffer>;
  /** Writes all bytes from the start of the file on. */
  writeAll(bytes: Buffer): Promise<void>;
  truncate(length: number): Promise<void>;
  chown(uid: number, gid: number): Promise<void>;
  chmod(mode: number): Promise<void>;
  sync(): Promise<void>;
}

/** The file operations that writing a hosts file takes. */
export interface HostsFs extends PathReader {
  /** `flags` as in open(2). */
  open(path: string, flags: number, mode?: number): Promise<HostsHandle>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

/** How a HostsFile behaves. */
export interface HostsFileOptions {
  readonly fs?: HostsFs;
  /** Refuse a path that others than root can bend. */
  readonly asRoot: boolean;
  /** Never replace the file: its security label (SELinux) would be lost with its inode. */
  readonly alwaysInPlace?: boolean;
  /** Gets the bytes that are about to be changed, before anything is written. */
  readonly beforeWrite?: (bytes: Buffer) => Promise<void>;
}

/** What an update makes of the file. It may be called again when somebody else was faster, and may throw. */
export type HostsChange = (bytes: Buffer) => Buffer | "unchanged";

interface Snapshot {
  readonly bytes: Buffer;
  readonly facts: FileFacts;
}

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const tries = 5;
// The directory or the mount does not let the file be replaced; its bytes may still be written.
const inPlaceErrnos: ReadonlySet<string | undefined> = new Set(["EBUSY", "EXDEV", "EPERM", "EACCES", "EROFS"]);

/** One hosts file. Updates must not overlap within a process; between processes the last check before the write decides. */
export class HostsFile {
  /** The file itself; links were followed once, when it was opened. */
  readonly path: string;
  readonly #fs: HostsFs;
  readonly #options: HostsFileOptions;

  private constructor(path: string, fs: HostsFs, options: HostsFileOptions) {
    this.path = path;
    this.#fs = fs;
    this.#options = options;
  }

  /**
   * Follows the path; opens nothing yet.
   * @throws LocalizerError `not-found` when there is no such file, `denied` when root must not write there
   */
  static async at(path: string, options: HostsFileOptions): Promise<HostsFile> {
    const fs = options.fs ?? systemHostsFs;
    try {
      return new HostsFile(await resolvePath(path, fs, options.asRoot), fs, options);
    } catch (error) {
      throw fileError(error, `Cannot find hosts file "${path}"`);
    }
  }

  /** @throws LocalizerError `not-found`, `denied` or `unavailable` */
  async read(): Promise<Buffer> {
    return (await this.#snapshot()).bytes;
  }

  /**
   * Reads, computes, writes. Resolves to whether anything was written.
   * @throws LocalizerError `conflict` when somebody else changed the file five times in a row, `denied` when it is read-only
   */
  async update(change: HostsChange): Promise<boolean> {
    for (let attempt = 0; attempt < tries; attempt++) {
      const before = await this.#snapshot();
      const bytes = change(before.bytes);
      if (bytes === "unchanged" || bytes.equals(before.bytes)) return false;
      await this.#options.beforeWrite?.(before.bytes);
      try {
        if (await this.#write(before, bytes)) return true;
      } catch (error) {
        throw fileError(error, `Cannot write hosts file "${this.path}"`);
      }
    }
    throw new LocalizerError("conflict", `Cannot write hosts file "${this.path}": another program keeps changing it`);
  }

  /** Removes the temporary file that a process left behind when it was killed in the middle of a write. */
  async removeLeftover(pid: number): Promise<void> {
    await this.#fs.unlink(this.#temporaryOf(pid)).catch(ignoreMissing);
  }

  #temporaryOf(pid: number): string {
    return join(dirname(this.path), `.${basename(this.path)}.localizer-${pid}`);
  }

  async #snapshot(): Promise<Snapshot> {
    try {
      await using handle = await this.#fs.open(this.path, O_RDONLY | O_NOFOLLOW);
      const facts = await handle.stat();
      if (facts.kind !== "file") throw new LocalizerError("usage", "it is not a regular file");
      return { bytes: await handle.readAll(), facts };
    } catch (error) {
      throw fileError(error, `Cannot read hosts file "${this.path}"`);
    }
  }

  /** False when the file was changed since it was read. */
  async #write(before: Snapshot, bytes: Buffer): Promise<boolean> {
    if (!this.#options.alwaysInPlace && before.facts.nlink === 1) {
      const replaced = await this.#replace(before, bytes);
      if (replaced !== "in-place") return replaced;
    }
    return await this.#overwrite(before, bytes);
  }

  async #replace(before: Snapshot, bytes: Buffer): Promise<boolean | "in-place"> {
    const temporary = this.#temporaryOf(process.pid);
    try {
      await this.#fs.unlink(temporary).catch(ignoreMissing);
      await this.#fill(temporary, before.facts, bytes);
      if (!sameFile(before.facts, await this.#fs.lstat(this.path))) {
        await this.#fs.unlink(temporary);
        return false;
      }
      await this.#fs.rename(temporary, this.path);
    } catch (error) {
      await this.#fs.unlink(temporary).catch(() => {});
      if (inPlaceErrnos.has(errnoOf(error))) return "in-place";
      throw error;
    }
    await this.#syncDirectory();
    return true;
  }

  async #fill(temporary: string, facts: FileFacts, bytes: Buffer): Promise<void> {
    await using handle = await this.#fs.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    await handle.writeAll(bytes);
    await handle.chown(facts.uid, facts.gid);
    // After chown, which clears set-uid bits.
    await handle.chmod(facts.mode);
    await handle.sync();
  }

  async #overwrite(before: Snapshot, bytes: Buffer): Promise<boolean> {
    await using handle = await this.#fs.open(this.path, O_RDWR | O_NOFOLLOW);
    if (!sameFile(before.facts, await handle.stat())) return false;
    try {
      await handle.writeAll(bytes);
      await handle.truncate(bytes.length);
      await handle.sync();
    } catch (error) {
      // A full disk leaves room for what was there before.
      await handle.writeAll(before.bytes).catch(() => {});
      await handle.truncate(before.bytes.length).catch(() => {});
      throw error;
    }
    return true;
  }

  async #syncDirectory(): Promise<void> {
    try {
      await using directory = await this.#fs.open(dirname(this.path), O_RDONLY | O_DIRECTORY);
      await directory.sync();
    } catch (error) {
      // Some file systems cannot sync a directory; the new file is in place all the same.
      if (!["EINVAL", "ENOTSUP", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
    }
  }
}

/** The real file system. */
export const systemHostsFs: HostsFs = {
  open: async (path, flags, mode) => handleOf(await open(path, flags, mode)),
  lstat: async (path) => factsOf(await lstat(path, { bigint: true })),
  readlink: (path) => readlink(path),
  rename: (from, to) => rename(from, to),
  unlink: (path) => unlink(path),
};

function handleOf(handle: FileHandle): HostsHandle {
  return {
    stat: async () => factsOf(await handle.stat({ bigint: true })),
    readAll: () => handle.readFile(),
    async writeAll(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, done);
        done += bytesWritten;
      }
    },
    truncate: (length) => handle.truncate(length),
    chown: (uid, gid) => handle.chown(uid, gid),
    chmod: (mode) => handle.chmod(mode),
    sync: () => handle.sync(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

function factsOf(stats: BigIntStats): FileFacts {
  return {
    kind: stats.isFile() ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : "other",
    dev: stats.dev,
    ino: stats.ino,
    size: stats.size,
    mtimeNs: stats.mtimeNs,
    nlink: Number(stats.nlink),
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
  };
}

function sameFile(a: FileFacts, b: FileFacts): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

function fileError(error: unknown, action: string): LocalizerError {
  switch (errnoOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return new LocalizerError("not-found", `${action}: there is no such file`, { cause: error });
    case "EROFS":
      return new LocalizerError("denied", `${action}: it is on a read-only file system`, { cause: error });
    case "EACCES":
    case "EPERM":
      return new LocalizerError("denied", `${action}: no permission`, { cause: error });
    case "ENOSPC":
    case "EDQUOT":
      return new LocalizerError("unavailable", `${action}: no space is left`, { cause: error });
    default:
      return LocalizerError.wrap(error, action);
  }
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}
