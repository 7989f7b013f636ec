/** Asking for a credential before a request's time begins to run, and once more when the API server refuses it. */
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Credential, Credentials } from "./credentials.ts";

/** How long to wait. */
export interface CredentialPatience {
  readonly clock: Clock;
  /** While no credential can be got, whoever waits is told so after this; while a person logs in it does not count. */
  readonly timeoutMs: number;
  /** The caller's own. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does the work with the credential of now, and once more if that is refused and there may be a better one. A refusal
 * has done nothing, so that any work may be done again. The deadline of the work is its own affair.
 * @param work throws `unauthenticated` when the API server answered 401
 * @throws LocalizerError `unauthenticated` when there is no credential, `aborted`, and whatever the work throws
 */
export async function withCredential<T>(
  credentials: Credentials,
  patience: CredentialPatience,
  work: (credential: Credential) => Promise<T>,
): Promise<T> {
  const credential = await currentCredential(credentials, patience);
  try {
    return await work(credential);
  } catch (error) {
    if (codeOf(error) !== "unauthenticated" || !credentials.rejected(credential)) throw error;
  }
  const renewed = await currentCredential(credentials, patience);
  try {
    return await work(renewed);
  } catch (error) {
    // For whoever makes them: another one at once would not help.
    if (codeOf(error) === "unauthenticated") credentials.rejected(renewed);
    throw error;
  }
}

/** Waits for a person who logs in, but not in silence for what has failed already. */
async function currentCredential(credentials: Credentials, patience: CredentialPatience): Promise<Credential> {
  const { clock, timeoutMs, signal } = patience;
  const giveUp = new AbortController();
  const look = (): Disposable =>
    clock.after(timeoutMs, () => {
      if (credentials.failure === undefined) timer = look();
      else giveUp.abort(unauthenticated(credentials.failure));
    });
  let timer = look();
  const gaveUp = new Promise<never>((_, reject) => {
    giveUp.signal.addEventListener("abort", () => reject(giveUp.signal.reason), { once: true });
  });
  const limited = signal === undefined ? giveUp.signal : AbortSignal.any([signal, giveUp.signal]);
  try {
    return await Promise.race([credentials.current(limited), gaveUp]);
  } finally {
    timer[Symbol.dispose]();
  }
}

function unauthenticated(failure: LocalizerError): LocalizerError {
  if (failure.code === "unauthenticated") return failure;
  return new LocalizerError("unauthenticated", failure.message, { cause: failure });
}
