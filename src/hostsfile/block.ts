/**
 * The marked block of a hosts file, as a pure function from bytes to bytes.
 * Promises that every byte outside the block stays, and that removing the block gives back what was there before.
 * Used by hosts-file's callers in the helper; nobody else writes the file.
 */
import { createHash } from "node:crypto";
import type { HostsEntry } from "../model/hosts-table.ts";

/** Who wrote a block: the process (its start time and boot tell it from a later one with its pid) and which localizer. */
export interface BlockOwner {
  readonly pid: number;
  /** When the process started, in the system's own units; compared, never computed with. */
  readonly startTime: string;
  /** Which boot of the machine that start time belongs to. */
  readonly bootId: string;
  /** In which the pid counts: containers share a boot, and each counts its own. Absent where there are none. */
  readonly pidNamespace?: string;
  /** Tells daemons with different sockets apart: 1 to 40 of `A-Z a-z 0-9 . _ -`. */
  readonly instance: string;
}

// glibc takes any line, but musl reads a line into 512 bytes and Windows takes 9 names (exposes in lookup_name.c, goodhosts#10).
const maxNames = 8;
const maxLineBytes = 400;

const word = "[A-Za-z0-9._-]";
const beginPattern = new RegExp(
  `^# localizer: begin \\(instance (${word}{1,40}), pid (\\d{1,10}), started (${word}{1,40}), boot (${word}{1,64})(?:, pidns (${word}{1,20}))?(?:, (lf|crlf) added to ([0-9a-f]{8}))?\\)$`,
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
  const rest = withoutInstance(before, owner.instance);
  const after = entries.length === 0 ? withoutBlock(rest).join("") : insertBlock(rest, owner, entries);
  return after === before ? "unchanged" : Buffer.from(after, "latin1");
}

/** The owners named by the begin markers in the file, in their order. A marker that cannot be read names nobody. */
export function blockOwners(bytes: Buffer): readonly BlockOwner[] {
  return splitLines(bytes.toString("latin1")).flatMap((line) => {
    const [, instance, pid, startTime, bootId, pidNamespace] = beginPattern.exec(bare(line)) ?? [];
    if (instance === undefined || pid === undefined || startTime === undefined || bootId === undefined) return [];
    const owner = { pid: Number(pid), startTime, bootId, instance };
    return [pidNamespace === undefined ? owner : { ...owner, pidNamespace }];
  });
}

/**
 * Says whether the file holds exactly these entries as the block of that instance, whoever of its processes wrote it. Without
 * entries: no block.
 */
export function holdsBlock(bytes: Buffer, instance: string, entries: readonly HostsEntry[]): boolean {
  const [owner, ...others] = blockOwners(bytes).filter((each) => each.instance === instance);
  if (others.length > 0) return false;
  // Without a begin marker any owner will do: what he has to write or to remove differs from what is there.
  return withBlock(bytes, owner ?? { pid: 0, startTime: "-", bootId: "-", instance }, entries) === "unchanged";
}

/** The lines of the file, each with its line end, that do not belong to the instance's block. */
export function foreignLines(bytes: Buffer, instance: string): readonly string[] {
  return withoutBlock(withoutInstance(bytes.toString("latin1"), instance));
}

/** The line end that a block's writer gave to the line before it, which had none. */
interface AddedEnd {
  readonly eol: string;
  /** Of that line, so that no other line loses its end when that one has gone. */
  readonly digest: string;
}

/** The file without an instance's lines. */
interface Rest {
  readonly lines: string[];
  /** Where the first of them stood. */
  readonly at: number | undefined;
  /** The line end that they had: counted anew, it might change with the one that was added. */
  readonly eol: string | undefined;
  /** What the block's writer had added, and before which of `lines` the block said so. */
  readonly added: (AddedEnd & { readonly at: number }) | undefined;
}

// A line is ours by what it says, never by where it stands: with a lost end marker nothing else is taken for ours, and a
// line that somebody put into the middle of the block stays.
function withoutInstance(text: string, instance: string): Rest {
  const lines: string[] = [];
  let at: number | undefined;
  let eol: string | undefined;
  let added: Rest["added"];
  for (const line of splitLines(text)) {
    const begin = beginPattern.exec(bare(line));
    const owner = begin ?? endPattern.exec(bare(line)) ?? entryPattern.exec(bare(line));
    if (owner?.[1] !== instance) {
      lines.push(line);
      continue;
    }
    at ??= lines.length;
    eol ??= /\r?\n$/.exec(line)?.[0];
    const note = addedIn(begin);
    if (note !== undefined) added = { ...note, at: lines.length };
  }
  const isStill = added !== undefined && endsWith(lines[added.at - 1], added);
  return { lines, at, eol, added: isStill ? added : undefined };
}

/** What a block leaves: the line end that it had added goes with it, or becomes the affair of the block that follows. */
function withoutBlock({ lines, added }: Rest): readonly string[] {
  if (added === undefined) return lines;
  const left = lines[added.at - 1] ?? "";
  const next = lines[added.at];
  // Lines that came later need it.
  if (next === undefined) return lines.with(added.at - 1, left.slice(0, -added.eol.length));
  const begin = beginPattern.exec(bare(next));
  if (begin === null || addedIn(begin) !== undefined) return lines;
  return lines.with(added.at, next.replace(/\)(?=\r?\n?$)/, `${noteOf(added)})`));
}

function addedIn(begin: RegExpExecArray | null): AddedEnd | undefined {
  const [, , , , , , eol, digest] = begin ?? [];
  return (eol === "lf" || eol === "crlf") && digest !== undefined ? { eol: eols[eol], digest } : undefined;
}

function noteOf({ eol, digest }: AddedEnd): string {
  return `, ${eol === "\n" ? "lf" : "crlf"} added to ${digest}`;
}

function endsWith(line: string | undefined, { eol, digest }: AddedEnd): boolean {
  return line?.endsWith(eol) === true && digestOf(line.slice(0, -eol.length)) === digest;
}

function digestOf(line: string): string {
  return createHash("sha256").update(line, "latin1").digest("hex").slice(0, 8);
}

function insertBlock(rest: Rest, owner: BlockOwner, entries: readonly HostsEntry[]): string {
  const { lines, at, added } = rest;
  const eol = rest.eol ?? dominantEol(lines);
  const start = at ?? lines.length;
  const last = lines[start - 1];
  const isOpen = last !== undefined && !last.endsWith("\n");
  const note = isOpen ? { eol, digest: digestOf(last) } : added?.at === start ? added : undefined;
  const block = [
    beginMarker(owner, note),
    ...entries.flatMap((entry) => entryLines(entry, owner.instance)),
    `# localizer: end (instance ${owner.instance})`,
  ];
  const head = lines.slice(0, start).join("") + (isOpen ? eol : "");
  return head + block.map((line) => line + eol).join("") + lines.slice(start).join("");
}

function beginMarker(owner: BlockOwner, added: AddedEnd | undefined): string {
  const note = added === undefined ? "" : noteOf(added);
  const { instance, pid, startTime, bootId, pidNamespace } = owner;
  const scope = pidNamespace === undefined ? "" : `, pidns ${pidNamespace}`;
  const who = `instance ${instance}, pid ${pid}, started ${startTime}, boot ${bootId}${scope}`;
  const marker = `# localizer: begin (${who}${note})`;
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
