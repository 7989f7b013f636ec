/** Who we are to the API server, beyond a client certificate: the value of the Authorization header. */
import { LocalizerError } from "../errors.ts";

/** A source of the Authorization header. */
export interface Credentials {
  /**
   * The header's value, or undefined when there is none to send. Asked before every request, so that a token that
   * was renewed in the meantime is used.
   * @throws LocalizerError `denied` when the credential cannot be got, `aborted` when the signal fires
   */
  authorization(signal?: AbortSignal): Promise<string | undefined>;
}

/** Sends no Authorization header: a client certificate, or nobody. */
export const noCredentials: Credentials = { authorization: async () => undefined };

/** A bearer token that never changes (`token` of a kubeconfig's user). */
export function staticToken(token: string): Credentials {
  return { authorization: async () => bearer(token) };
}

/**
 * A bearer token in a file that somebody else renews (`tokenFile`). Read anew for every request; when that fails the
 * last token that was read, or else `fallback`, is sent, as kubectl does.
 */
export function tokenFromFile(
  path: string,
  readFile: (path: string) => Promise<Uint8Array>,
  fallback?: string,
): Credentials {
  let last = fallback;
  return {
    async authorization() {
      try {
        const token = Buffer.from(await readFile(path))
          .toString("utf8")
          .trim();
        if (token !== "") last = token;
      } catch (error) {
        if (last === undefined) throw LocalizerError.wrap(error, `Cannot read the token file "${path}"`, "denied");
      }
      if (last === undefined) throw new LocalizerError("denied", `Cannot use the token file "${path}": it is empty`);
      return bearer(last);
    },
  };
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}
