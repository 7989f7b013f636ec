/** Reads a dotenv file as Docker Compose does (compose-go, dotenv/parser.go), as far as quotes and escapes go; references are an error. */

/** The variables of the text. Throws for what Compose would not read, or would replace. */
export function readComposeDotenv(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  // Its first step.
  let rest = text.replaceAll("\r\n", "\n");
  for (;;) {
    rest = rest.replace(/^\s+/, "");
    if (rest === "") return found;
    if (rest.startsWith("#")) {
      rest = rest.replace(/^[^\n]*/, "");
      continue;
    }
    const [, name = "", after = ""] = /^([\p{L}\p{Nd}_.[\]-]+)[ \t]*=[ \t]*([\s\S]*)$/u.exec(rest) ?? [];
    if (name === "") throw new Error(`no variable: ${JSON.stringify(rest.slice(0, 40))}`);
    const [value, left] = /^['"]/.test(after) ? quoted(after) : unquoted(after);
    found.set(name, value);
    rest = left;
  }
}

function unquoted(text: string): readonly [value: string, rest: string] {
  const [line = ""] = /^[^\n]*/.exec(text) ?? [];
  const value = line.replace(/\s#.*$/, "").trimEnd();
  return [literal(value), text.slice(line.length)];
}

function quoted(text: string): readonly [value: string, rest: string] {
  const quote = text.charAt(0);
  let [value, isEscaped] = ["", false];
  for (let index = 1; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === quote && !isEscaped) {
      return [quote === '"' ? literal(unescaped(value)) : value, text.slice(index + 1)];
    }
    if (char !== quote && char === "\\" && !isEscaped) {
      isEscaped = true;
      continue;
    }
    if (isEscaped && char !== quote) value += "\\";
    value += char;
    isEscaped = false;
  }
  throw new Error("unterminated quoted value");
}

function unescaped(text: string): string {
  const letters: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\", '"': '"', $: "$$" };
  return text.replace(/\\([abcfnrtv$"\\])/g, (whole, letter: string) => letters[letter] ?? whole);
}

/** `$$` is a dollar; anything else that begins with one would be replaced. */
function literal(text: string): string {
  if (/(^|[^$])(\$\$)*\$([A-Za-z_{]|$)/.test(text)) throw new Error(`would be replaced: ${text}`);
  return text.replaceAll("$$", "$");
}
