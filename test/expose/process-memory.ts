/** What a process of this machine knows and tells nobody: keys in its memory, the sockets on which it listens. Linux, root. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { descendants } from "../e2e/processes.ts";

const [begin, end] = ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "-----END OPENSSH PRIVATE KEY-----\n"];
const chunk = 4 * 2 ** 20;

/** Private keys, in OpenSSH's format, that stand in the memory of a process or one that it has started. */
export function keysInMemory(pid: number): readonly string[] {
  return [...new Set([pid, ...descendants(pid)].flatMap(keysOf))];
}

/** Addresses on which a process, or one that it has started, listens by TCP: `0100007F:1F90` as the kernel writes them. */
export function tcpListeners(pid: number): readonly string[] {
  const found = [pid, ...descendants(pid)].flatMap((one) => {
    const sockets = new Set(entries(`/proc/${one}/fd`).map((fd) => linkOf(`/proc/${one}/fd/${fd}`)));
    const rows = ["tcp", "tcp6"].flatMap((table) => textOf(`/proc/${one}/net/${table}`).split("\n"));
    return rows.flatMap((row) => {
      const [, local = "", , state, , , , , , inode] = row.trim().split(/\s+/);
      return state === "0A" && sockets.has(`socket:[${inode}]`) ? [local] : [];
    });
  });
  return [...new Set(found)].sort();
}

function keysOf(pid: number): readonly string[] {
  const keys: string[] = [];
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const line of textOf(`/proc/${pid}/maps`).split("\n")) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      const [first, last] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
      // A key may lie across the border of two chunks.
      for (let at = first; at < last; at += chunk)
        keys.push(...keysIn(read(memory, at, Math.min(chunk + 1024, last - at))));
    }
  } finally {
    closeSync(memory);
  }
  return keys;
}

function keysIn(bytes: Buffer): readonly string[] {
  const keys: string[] = [];
  for (let at = bytes.indexOf(begin); at >= 0; at = bytes.indexOf(begin, at + 1)) {
    const text = bytes.toString("latin1", at, at + 1024);
    const key = text.slice(0, text.indexOf(end) + end.length);
    if (/^-----BEGIN OPENSSH PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END/.test(key)) keys.push(key);
  }
  return keys;
}

/** Nothing of what cannot be read. */
function read(memory: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  try {
    return bytes.subarray(0, readSync(memory, bytes, 0, length, at));
  } catch {
    return Buffer.alloc(0);
  }
}

function entries(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
