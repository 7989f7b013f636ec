/**
 * The marked block of a hosts file, as a pure function from bytes to bytes.
 * Promises that every byte outside the block stays, and that removing the block gives back what was there before.
 * Used by hosts-file's callers in the helper; nobody else writes the file.
 */
import type { HostsEntry } from "../model/hosts-table.ts";

/** Who wrote a block: the process (its start time and boot tell it from a later one with its pid) and which localizer. */
export interface BlockOwner {
  readonly pid: number;
  /** When the process started, in the system's own units; compared, never computed with. */
  readonly startTime: string;
  /** Which boot of the machine that start time belongs to. */
  readonly bootId: string;
  /** Tells daemons with different sockets apart: 1 to 40 of `A-Z a-z 0-9 . _ -`. */
  readonly instance: string;
}

// glibc takes any line, but musl reads a line into 512 bytes and Windows takes 9 names (exposes in lookup_name.c, goodhosts#10).
const maxNames = 8;
const maxLineBytes = 400;

const word = "[A-Za-z0-9._-]";
const beginPattern = new RegExp(
  `^# localizer: begin \\(instance (${word}{1,40}), pid (\\d{1,10}), started (${word}{1,40}), boot (${word}{1,64})(?:, (lf|crlf) added)?\\)$`,
);
const endPattern = new RegExp(`^# localizer: end \\(instance (${word}{1,40})\\)$`);
const entryPattern = new RegExp(`^[0-9A-Fa-f.:]+(?:[ \\t]+[^\\s#]+)+[ \\t]+# localizer:(${word}{1,40})$`);
const eols = { lf: "\n", crlf: "\r\n" } as const;

/**
 * The file with `entries` as the owner's block, in place of the block that its instance had; without entries, without a
 * block. A new block goes to the end of the file. "unchanged" when that is what the bytes hold already.
 * @throws RangeError when a field of the owner cannot stand in a marker
 */
export function withBlock(bytes: Buffer, owner: BlockOwner, entries: readonly HostsEntry[]): Buffer | "unchanged" {
  // One char a byte, both ways: invalid UTF-8 survives.
  const before = bytes.toString("latin1");
  const { lines, at } = withoutInstance(before, owner.instance);
  const after = entries.length === 0 ? lines.join("") : insertBlock(lines, at, owner, entries);
  return after === before ? "unchanged" : Buffer.from(after, "latin1");
}

/** The owners named by the begin markers in the file, in their order. A marker that cannot be read names nobody. */
export function blockOwners(bytes: Buffer): readonly BlockOwner[] {
  return splitLines(bytes.toString("latin1")).flatMap((line) => {
    const [, instance, pid, startTime, bootId] = beginPattern.exec(bare(line)) ?? [];
    if (instance === undefined || pid === undefined || startTime === undefined || bootId === undefined) return [];
    return [{ pid: Number(pid), startTime, bootId, instance }];
  });
}

/** The lines of the file, each with its line end, that do not belong to the instance's block. */
export function foreignLines(bytes: Buffer, instance: string): readonly string[] {
  return withoutInstance(bytes.toString("latin1"), instance).lines;
}

// A line is ours by what it says, never by where it stands: with a lost end marker nothing else is taken for ours, and a
// line that somebody put into the middle of the block stays.
function withoutInstance(text: string, instance: string): { lines: string[]; at: number | undefined } {
  const lines: string[] = [];
  let at: number | undefined;
  let added: { eol: string; at: number } | undefined;
  for (const line of splitLines(text)) {
    const begin = beginPattern.exec(bare(line));
    const owner = begin ?? endPattern.exec(bare(line)) ?? entryPattern.exec(bare(line));
    if (owner?.[1] !== instance) {
      lines.push(line);
      continue;
    }
    at ??= lines.length;
    const eol = begin?.[5];
    if (eol === "lf" || eol === "crlf") added = { eol: eols[eol], at: lines.length };
  }
  const last = lines.at(-1);
  // The line end that we added goes only if the file would end with it; lines that came later need it.
  if (added?.at === lines.length && last?.endsWith(added.eol))
    lines[lines.length - 1] = last.slice(0, -added.eol.length);
  return { lines, at };
}

function insertBlock(
  lines: readonly string[],
  at: number | undefined,
  owner: BlockOwner,
  entries: readonly HostsEntry[],
) {
  const eol = dominantEol(lines);
  const start = at ?? lines.length;
  const last = lines[start - 1];
  const added = last !== undefined && !last.endsWith("\n");
  const block = [
    beginMarker(owner, added ? eol : undefined),
    ...entries.flatMap((entry) => entryLines(entry, owner.instance)),
    `# localizer: end (instance ${owner.instance})`,
  ];
  const head = lines.slice(0, start).join("") + (added ? eol : "");
  return head + block.map((line) => line + eol).join("") + lines.slice(start).join("");
}

function beginMarker(owner: BlockOwner, added: string | undefined): string {
  const note = added === undefined ? "" : `, ${added === "\n" ? "lf" : "crlf"} added`;
  const { instance, pid, startTime, bootId } = owner;
  const marker = `# localizer: begin (instance ${instance}, pid ${pid}, started ${startTime}, boot ${bootId}${note})`;
  if (!beginPattern.test(marker)) throw new RangeError(`no owner of a hosts block: ${JSON.stringify(owner)}`);
  return marker;
}

function entryLines(entry: HostsEntry, instance: string): string[] {
  const tag = ` # localizer:${instance}`;
  const lines: string[] = [];
  let names: string[] = [];
  const flush = () => {
    if (names.length > 0) lines.push(`${entry.address} ${names.join(" ")}${tag}`);
    names = [];
  };
  for (const name of entry.names) {
    const length = `${entry.address} ${[...names, name].join(" ")}${tag}`.length;
    if (names.length === maxNames || length > maxLineBytes) flush();
    names.push(name);
  }
  flush();
  return lines;
}

function dominantEol(lines: readonly string[]): string {
  const crlf = lines.filter((line) => line.endsWith("\r\n")).length;
  const lf = lines.filter((line) => line.endsWith("\n")).length - crlf;
  return crlf > lf ? "\r\n" : "\n";
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

// The carriage return goes even where no line feed follows: once we add one, the line must read the same as before.
function bare(line: string): string {
  return line.replace(/\r?\n?$/, "");
}
