/** Texts of a kubeconfig, a token file or a plug-in as values of HTTP headers. Pure. */
import { LocalizerError } from "../errors.ts";

/**
 * The text as a header carries it: Node writes one byte a sign, so UTF-8 goes in as bytes, as Go sends it.
 * @throws LocalizerError `usage` when it holds a control character, which would end the header
 */
export function headerValue(userName: string, text: string): string {
  if (isHeaderText(text)) return Buffer.from(text, "utf8").toString("latin1");
  const sentence = `Cannot log in as "${userName}": a value of the kubeconfig holds a line break or control character`;
  throw new LocalizerError("usage", sentence);
}

/** Says whether no control character stands in the text (RFC 9110 5.5). */
export function isHeaderText(text: string): boolean {
  return !/[^\P{Cc}\t]/u.test(text);
}
