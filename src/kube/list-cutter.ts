/**
 * Cuts the text of a list into its items as it comes in, so that nobody has to parse, or to hold, all of it at once. Pure. It
 * looks at strings and brackets alone: whoever parses the pieces finds out whether they are JSON. Used by read-list.
 */

const byte = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

const items = "items";

/** For one list: an object whose member `items` is an array of objects. */
export class ListCutter {
  #place: "around" | "between" | "item" = "around";
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** The last string directly in the object, no more of it than it takes to tell, and whether a colon came after it. */
  #name = "";
  #isNamed = false;
  /** What came last between items: the array's begin, an item or a comma. */
  #last: "begin" | "item" | "comma" = "begin";
  readonly #around: Buffer[] = [];
  #parts: Buffer[] = [];

  /** The items that end in this chunk, each of them its text; undefined when this is no list. */
  cut(chunk: Buffer): readonly Buffer[] | undefined {
    const ended: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      const start = at;
      switch (this.#place) {
        case "around":
          at = this.#passAround(chunk, at);
          this.#around.push(chunk.subarray(start, at));
          break;
        case "between":
          if (!this.#passBetween(chunk[at])) return undefined;
          // A bracket is left to what is around, a brace to the item.
          if (this.#place === "between") at++;
          break;
        case "item":
          at = this.#passItem(chunk, at);
          this.#parts.push(chunk.subarray(start, at));
          if (this.#depth === 0) ended.push(this.#endItem());
          break;
        default:
          this.#place satisfies never;
      }
    }
    return ended;
  }

  /** All but the items, which is JSON if the list was: a list without items. To be asked for after the last chunk. */
  get rest(): Buffer {
    return Buffer.concat(this.#around);
  }

  /** Up to and with the bracket that begins the array of the items. */
  #passAround(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const now = chunk[at] ?? 0;
      const wasInString = this.#inString;
      this.#pass(now);
      if (this.#depth !== 1 && !(this.#depth === 2 && now === byte.openBracket)) continue;
      if (wasInString) {
        if (this.#inString && this.#name.length <= items.length) this.#name += String.fromCharCode(now);
      } else if (now === byte.quote) this.#name = "";
      else if (now === byte.colon) this.#isNamed = true;
      else if (now === byte.comma) this.#isNamed = false;
      else if (now === byte.openBracket && this.#isNamed && this.#name === items) {
        this.#place = "between";
        return at + 1;
      }
    }
    return chunk.length;
  }

  /** False when this cannot stand there. */
  #passBetween(now: number | undefined): boolean {
    switch (now) {
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        return true;
      case byte.comma:
        if (this.#last !== "item") return false;
        this.#last = "comma";
        return true;
      case byte.closeBracket:
        this.#place = "around";
        return this.#last !== "comma";
      case byte.openBrace:
        this.#place = "item";
        this.#depth = 0;
        return this.#last !== "item";
      default:
        return false;
    }
  }

  /** Up to and with the item's last byte. */
  #passItem(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      this.#pass(chunk[at] ?? 0);
      if (this.#depth === 0) return at + 1;
    }
    return chunk.length;
  }

  #endItem(): Buffer {
    const [only] = this.#parts;
    const text = only !== undefined && this.#parts.length === 1 ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#place = "between";
    this.#last = "item";
    // In the array of the items, which is in the list.
    this.#depth = 2;
    return text;
  }

  #pass(now: number): void {
    if (this.#inString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (now === byte.backslash) this.#isEscaped = true;
      else if (now === byte.quote) this.#inString = false;
      return;
    }
    if (now === byte.quote) this.#inString = true;
    else if (now === byte.openBrace || now === byte.openBracket) this.#depth++;
    else if (now === byte.closeBrace || now === byte.closeBracket) this.#depth--;
  }
}
