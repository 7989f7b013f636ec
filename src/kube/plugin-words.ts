/** What a credential plug-in says, fit for a sentence: its last lines, harmless for a terminal. Pure. */

/** The end of a text that comes in pieces. */
export class TextEnd {
  readonly #keep: number;
  #bytes: Buffer = Buffer.alloc(0);

  /** @param keep how many bytes of the end are kept */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Adds a piece. */
  add(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-this.#keep);
  }

  /** Bytes kept. */
  get length(): number {
    return this.#bytes.length;
  }

  /** What is kept, as UTF-8. */
  get text(): string {
    return this.#bytes.toString("utf8");
  }
}

/** The last three lines that say something, on one, at most 400 signs; empty when there are none. */
export function lastWords(said: string): string {
  // The last lines say most: what comes before are often warnings.
  const last = printableLines(said)
    .filter((line) => line !== "")
    .slice(-3)
    .join(" / ");
  return last.length > 400 ? `…${last.slice(-400)}` : last;
}

/** The lines without what a terminal would take for a command. */
export function printableLines(text: string): readonly string[] {
  return text.split(/[\r\n]+/).map((line) =>
    line
      .replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, "")
      .replace(/[\p{Cc}\p{Cf}]/gu, " ")
      .trim(),
  );
}
