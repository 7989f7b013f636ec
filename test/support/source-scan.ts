/**
 * Reads a TypeScript source as words, strings and signs, so that the house's rules never mistake a comment or the
 * inside of a string for code. No parser: it knows where strings, templates, regular expressions and comments end.
 */

/** One piece of a source. Comments are none. */
export interface Token {
  /** `word` is a name, keyword or number; `sign` a single character. */
  readonly kind: "word" | "string" | "template" | "regex" | "sign";
  /** As it stands there; of a string what is between the quotes, of a template its text up to the first `${`. */
  readonly text: string;
  readonly line: number;
  /** A doc comment stands right before it. */
  readonly documented: boolean;
}

/** An import, a re-export, or a call of `import()`. */
export interface SourceImport {
  /** Undefined when it is not written as a plain string. */
  readonly target: string | undefined;
  /** When it is loaded: with the file, when the program gets there, or never. */
  readonly when: "start" | "late" | "type";
  readonly line: number;
}

const pieces =
  /(?<space>\s+)|(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/|^#![^\n]*)|(?<quoted>"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')|(?<word>[\p{L}\p{N}_$#@]+)|(?<sign>[\s\S])/uy;
const templateText = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/uy;
const regexText = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/uy;
/** Words after which a slash begins a regular expression. */
const beforeValue = new Set("return typeof case do else in of void delete throw new await yield instanceof".split(" "));

/**
 * The source's tokens in order; what stands inside `${}` of a template among them.
 * @throws SyntaxError where a string or template has no end: better than code that is taken for text
 */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  /** For each template that is open: how many braces are open inside its `${`. */
  const templates: number[] = [];
  let at = 0;
  let line = 1;
  let documented = false;

  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    at += match?.[0].length ?? 0;
    return match;
  };
  const add = (kind: Token["kind"], text: string, whole = text) => {
    tokens.push({ kind, text, line, documented });
    documented = false;
    line += whole.split("\n").length - 1;
  };
  const template = () => {
    const text = take(templateText)?.[0] ?? "";
    add("template", text);
    if (source[at] === "`") at += 1;
    else {
      if (at >= source.length) throw new SyntaxError(`line ${line}: a template without an end`);
      at += 2;
      templates.push(0);
    }
  };

  while (at < source.length) {
    if (source[at] === "/" && !/^\/[/*]/.test(source.slice(at, at + 2)) && valueMayFollow(tokens.at(-1))) {
      const regex = take(regexText)?.[0];
      if (regex !== undefined) {
        add("regex", regex);
        continue;
      }
    }
    const { space, comment, quoted, word, sign = "" } = take(pieces)?.groups ?? {};
    if (space !== undefined || comment !== undefined) {
      line += (space ?? comment ?? "").split("\n").length - 1;
      if (comment !== undefined) documented = comment.startsWith("/**");
    } else if (quoted !== undefined) add("string", quoted.slice(1, -1), quoted);
    else if (word !== undefined) add("word", word);
    else if (sign === "`") template();
    else if (sign === '"' || sign === "'") throw new SyntaxError(`line ${line}: a string without an end`);
    else {
      const depth = templates.pop();
      if (sign === "}" && depth === 0) {
        template();
        continue;
      }
      if (depth !== undefined) templates.push(depth + (sign === "{" ? 1 : sign === "}" ? -1 : 0));
      add("sign", sign);
    }
  }
  if (templates.length > 0) throw new SyntaxError(`line ${line}: a template without an end`);
  return tokens;
}

/** A slash after this token begins a regular expression; else it divides. */
function valueMayFollow(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return beforeValue.has(before.text);
  return before.kind === "sign" && !")]}".includes(before.text);
}

/** All that a source imports, in whatever form. */
export function importsIn(tokens: readonly Token[]): readonly SourceImport[] {
  return tokens.flatMap(({ kind, text, line }, index): SourceImport[] => {
    const before = tokens[index - 1];
    if (kind !== "word" || (text !== "import" && text !== "export") || isSign(before, ".")) return [];
    const next = tokens[index + 1];
    if (text === "import" && isSign(next, "(")) {
      const when = before?.kind === "word" && before.text === "typeof" ? "type" : "late";
      const [given, end] = tokens.slice(index + 2, index + 4);
      const isPlain = given?.kind === "string" && (isSign(end, ")") || isSign(end, ","));
      return [{ target: isPlain ? given.text : undefined, when, line }];
    }
    if (text === "import" && (isSign(next, ".") || isSign(next, ":"))) return [];
    if (text === "import" && next?.kind === "string") return [{ target: next.text, when: "start", line }];
    const isType = next?.kind === "word" && next.text === "type" && !isFrom(tokens, index + 2);
    const what = tokens[index + (isType ? 2 : 1)];
    // Any other export is a declaration.
    if (text === "export" && !isSign(what, "*") && !isSign(what, "{")) return [];
    const from = fromAfter(tokens, index + 1);
    if (text === "export" && from === undefined) return [];
    return [{ target: from, when: isType ? "type" : "start", line }];
  });
}

/** The string after the statement's `from`. */
function fromAfter(tokens: readonly Token[], start: number): string | undefined {
  for (let index = start; index < tokens.length; index += 1) {
    if (isFrom(tokens, index)) return tokens[index + 1]?.text;
    const { kind, text } = tokens[index] ?? {};
    // The names are over, or it was none of ours.
    if (isSign(tokens[index], ";") || (kind === "word" && (text === "import" || text === "export"))) return undefined;
    if (isSign(tokens[index], "}") && !isFrom(tokens, index + 1)) return undefined;
  }
  return undefined;
}

function isFrom(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  return token?.kind === "word" && token.text === "from" && tokens[index + 1]?.kind === "string";
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === "sign" && token.text === sign;
}
