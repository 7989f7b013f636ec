/** Who we are to the API server: what every request and every connection has to carry. */
import { LocalizerError } from "../errors.ts";
import { isHeaderText } from "./header-text.ts";

/** A certificate and its key as PEM. */
export interface ClientCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A credential as it is now. A value: one that was renewed is another object. */
export interface Credential {
  /** For every request; names in lower case (`authorization`, `impersonate-user`, …). */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** For every new connection, in the place of the kubeconfig's own. A connection made with an earlier one is of no more use. */
  readonly certificate?: ClientCertificate;
}

/** A source of credentials. */
export interface Credentials {
  /**
   * The credential to use now; the same object as long as nothing has changed. Asked before every request and every
   * connection, so it must be cheap when there is nothing to renew. It may wait for a person who logs in: whoever asks
   * gives it the caller's own signal, not the deadline of one request.
   * @throws LocalizerError `unauthenticated` when none can be got, with what to do; `aborted` when the signal fires
   */
  current(signal?: AbortSignal): Promise<Credential>;
  /**
   * The API server answered 401 to this credential. True when the next `current` may give a better one, so that the
   * request is worth a second try.
   */
  rejected(credential: Credential): boolean;
  /** Why no credential can be got, or renewed, at the moment; undefined when all is well. */
  readonly failure?: LocalizerError | undefined;
}

/** Headers that never change; none for a client certificate, or for nobody. */
export function staticCredentials(headers: Credential["headers"] = {}): Credentials {
  const credential = { headers };
  return { current: async () => credential, rejected: () => false };
}

/**
 * A bearer token in a file that somebody else renews (`tokenFile`). Read anew for every request; when that fails the
 * last token that was read, or else `fallback`, is sent, as kubectl does. `headers` go with every token.
 */
export function tokenFromFile(
  path: string,
  readFile: (path: string) => Promise<Uint8Array>,
  options: { readonly fallback?: string | undefined; readonly headers?: Credential["headers"] } = {},
): Credentials {
  const withToken = (token: string) => ({ headers: { ...options.headers, authorization: bearer(token) } });
  let last = options.fallback === undefined ? undefined : withToken(options.fallback);
  let failure: LocalizerError | undefined;
  return {
    get failure() {
      return failure;
    },
    async current() {
      try {
        const token = tokenOf(await readFile(path));
        if (last?.headers.authorization !== bearer(token)) last = withToken(token);
      } catch (error) {
        if (last === undefined) {
          failure = LocalizerError.wrap(error, `Cannot read the token file "${path}"`, "unauthenticated");
          throw failure;
        }
      }
      failure = undefined;
      return last;
    },
    rejected: (credential) => credential !== last,
  };
}

/** The value of the Authorization header for a token. */
export function bearer(token: string): string {
  return `Bearer ${token}`;
}

function tokenOf(bytes: Uint8Array): string {
  const token = Buffer.from(bytes).toString("utf8").trim();
  if (token !== "" && isHeaderText(token)) return token;
  const fault = token === "" ? "it is empty" : "it holds a line break or control character";
  throw new LocalizerError("unauthenticated", fault);
}
