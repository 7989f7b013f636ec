/**
 * Writes POSIX (ustar) archives in memory: what a container image is made of. Same entries,
 * same bytes: times are zero and nothing of the machine gets in.
 */

/** One entry. Paths have no leading slash; owner is root unless said otherwise. */
export type TarEntry = {
  readonly path: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
} & (
  | { readonly type: "file"; readonly content: Uint8Array | string }
  | { readonly type: "directory" }
  | { readonly type: "symlink"; readonly target: string }
);

const blockSize = 512;
const typeFlag = { file: "0", symlink: "2", directory: "5" } as const;
const defaultMode = { file: 0o644, symlink: 0o777, directory: 0o755 } as const;

/** Joins entries, in their order, into one archive. Throws RangeError for a path that ustar cannot hold. */
export function tarArchive(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const content = entry.type === "file" ? Buffer.from(entry.content) : Buffer.alloc(0);
    parts.push(header(entry, content.length), content, Buffer.alloc(-content.length & (blockSize - 1)));
  }
  parts.push(Buffer.alloc(2 * blockSize));
  return Buffer.concat(parts);
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(blockSize);
  const [prefix, name] = splitPath(entry.type === "directory" ? `${entry.path}/` : entry.path);
  const text = (value: string, offset: number, length: number) => {
    if (block.write(value, offset, length) < Buffer.byteLength(value)) {
      throw new RangeError(`Cannot archive "${entry.path}": "${value}" is longer than ${length} bytes`);
    }
  };
  const octal = (value: number, offset: number, length: number) =>
    text(value.toString(8).padStart(length - 1, "0"), offset, length);
  text(name, 0, 100);
  octal(entry.mode ?? defaultMode[entry.type], 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  text("        ", 148, 8); // The checksum is taken with itself as spaces.
  text(typeFlag[entry.type], 156, 1);
  if (entry.type === "symlink") text(entry.target, 157, 100);
  text("ustar\u000000", 257, 8);
  text(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, 8);
  return block;
}

/** A path over 100 bytes is cut at a slash: up to 155 bytes go before it. */
function splitPath(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ["", path];
  for (let cut = path.indexOf("/"); cut > 0; cut = path.indexOf("/", cut + 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)];
    if (name !== "" && Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, name];
  }
  throw new RangeError(`Cannot archive "${path}": the path does not fit into 155 and 100 bytes`);
}
