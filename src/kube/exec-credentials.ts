/**
 * Credentials from a plug-in: when it is run, and when not. Promises that there is one run at a time, shared by all who
 * wait, and never a storm of them: a run opens a browser or asks for a password.
 * Used by kubeconfig-user.ts.
 */
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { Acceptance } from "./acceptance.ts";
import { bearer, type Credential, type Credentials } from "./credentials.ts";
import { type ExecAnswer, parseExecAnswer } from "./exec-answer.ts";
import type { ExecPlugin } from "./exec-plugin.ts";
import { lastWords, TextEnd } from "./plugin-words.ts";
import { type PluginHost, runPlugin } from "./run-plugin.ts";

/** A run that is under way. */
interface Run {
  readonly credential: Promise<Credential>;
  readonly controller: AbortController;
  readonly progress: Progress;
  waiters: number;
  /** Runs while nobody waits; ends the run. */
  linger?: Disposable;
  /** It renews a credential that still serves: nobody waits, and it goes on all the same. */
  readonly isRenewal: boolean;
}

/** What a run shows while it goes on. */
interface Progress {
  /** On the monotonic clock; undefined before the plug-in is started. */
  startedAt?: number;
  readonly said: TextEnd;
}

/** After a run that succeeded, or that was ended because nobody waited: no other before this. */
const minIntervalMs = 10_000;
/** A run that nobody waits for goes on so long: calls with deadlines come again, after a back-off, and must not log in anew each time. */
const lingerMs = 2 * 60_000;
/** A run that takes longer may wait for a person: who has no credential is told so. */
const waitingMs = 3_000;
const keptWordsBytes = 4096;
const firstBackoffMs = 5_000;
const maxBackoffMs = 5 * 60_000;
/** A credential is renewed so long before it expires, but not before nine tenths of its life are over. */
const renewalMs = 60_000;

/** Credentials of one user. Disposing ends a run that is under way; afterwards `current` throws `aborted`. */
export class ExecCredentials implements Credentials, AsyncDisposable {
  readonly #host: PluginHost;
  readonly #plugin: ExecPlugin;
  readonly #userName: string;
  readonly #headers: Credential["headers"];

  #credential: Credential | undefined;
  #answer: ExecAnswer | undefined;
  #renewAt = Number.POSITIVE_INFINITY;
  /** The API server refused it. */
  #isStale = false;

  #run: Run | undefined;
  /** The run before, which may take a moment to end. */
  #ended: Promise<unknown> = Promise.resolve();
  /** On the monotonic clock: no run before, for there was one. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: LocalizerError | undefined;
  #isDisposed = false;
  readonly #acceptance: Acceptance;

  constructor(
    { host, plugin }: { readonly host: PluginHost; readonly plugin: ExecPlugin },
    options: { readonly userName: string; readonly headers: Credential["headers"] },
  ) {
    this.#host = host;
    this.#plugin = plugin;
    this.#userName = options.userName;
    this.#headers = options.headers;
    this.#acceptance = new Acceptance(host.clock);
  }

  /**
   * Of the last run; undefined when it succeeded and the API server takes what it gave. While a run goes on, and there
   * is nothing to be used in the meantime, that somebody has to log in.
   */
  get failure(): LocalizerError | undefined {
    const { startedAt, said } = this.#run?.progress ?? {};
    const isWaiting = startedAt !== undefined && this.#host.clock.monotonic() - startedAt >= waitingMs;
    if (isWaiting && !this.#isUsable) return this.#needsLogin(said?.text ?? "");
    return this.#failure ?? (this.#acceptance.isRefused ? this.#notAccepted() : undefined);
  }

  async current(signal?: AbortSignal): Promise<Credential> {
    throwIfAborted(signal);
    if (this.#isDisposed) throw new LocalizerError("aborted", "Stopped");
    const credential = await this.#usable(signal);
    if (credential === this.#credential) this.#acceptance.used();
    return credential;
  }

  rejected(credential: Credential): boolean {
    if (credential !== this.#credential) return true;
    this.#wait(this.#acceptance.refused());
    if (this.#run === undefined && !this.#mayRun) return false;
    this.#isStale = true;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#run?.controller.abort();
    this.#run = undefined;
    await this.#ended;
  }

  async #usable(signal: AbortSignal | undefined): Promise<Credential> {
    if (this.#credential !== undefined && this.#isUsable) {
      if (this.#host.clock.now() >= this.#renewAt && this.#mayRun) this.#start({ isRenewal: true });
      return this.#credential;
    }
    if (this.#run === undefined && !this.#mayRun) {
      if (this.#failure !== undefined) throw this.#failure;
      // A plug-in that gives out what has expired already: let the API server decide.
      if (this.#credential !== undefined && !this.#isStale) return this.#credential;
    }
    return await waitFor(this.#run ?? this.#start({ isRenewal: false }), signal, (run) => this.#abandon(run));
  }

  get #isUsable(): boolean {
    return this.#credential !== undefined && !this.#isStale && !this.#hasExpired;
  }

  get #hasExpired(): boolean {
    const expiresAt = this.#answer?.expiresAt;
    return expiresAt !== undefined && this.#host.clock.now() >= expiresAt;
  }

  get #mayRun(): boolean {
    return this.#run === undefined && this.#host.clock.monotonic() >= this.#notBefore;
  }

  #start({ isRenewal }: { readonly isRenewal: boolean }): Run {
    const controller = new AbortController();
    const progress: Progress = { said: new TextEnd(keptWordsBytes) };
    const credential = this.#execute(this.#ended, progress, controller.signal);
    const run: Run = { credential, controller, progress, waiters: 0, isRenewal };
    this.#run = run;
    this.#ended = credential.then(
      () => this.#forget(run),
      () => this.#forget(run),
    );
    return run;
  }

  async #execute(before: Promise<unknown>, progress: Progress, signal: AbortSignal): Promise<Credential> {
    await before;
    // Only after a run that was ended: who comes now waits with the others instead of starting one a call.
    const waitMs = this.#notBefore - this.#host.clock.monotonic();
    if (waitMs > 0) await this.#host.clock.sleep(waitMs, signal);
    progress.startedAt = this.#host.clock.monotonic();
    const show = (chunk: Uint8Array) => {
      progress.said.add(chunk);
      this.#host.show(chunk);
    };
    try {
      const printed = await runPlugin({ ...this.#host, show }, this.#plugin, signal);
      const answer = parseExecAnswer(this.#plugin, printed);
      return this.#keep(answer);
    } catch (error) {
      if (signal.aborted) {
        this.#wait(minIntervalMs);
        throw error;
      }
      this.#failure = LocalizerError.wrap(error, `Cannot log in as "${this.#userName}"`, "unauthenticated");
      this.#wait(Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#failures++));
      throw this.#failure;
    }
  }

  /** Keeps the object when the plug-in gave the same again. */
  #keep(answer: ExecAnswer): Credential {
    const { clock } = this.#host;
    const before = this.#answer;
    const isSame =
      before?.token === answer.token &&
      sameBytes(before?.certificate?.cert, answer.certificate?.cert) &&
      sameBytes(before?.certificate?.key, answer.certificate?.key);
    if (this.#credential === undefined || !isSame) this.#credential = this.#credentialOf(answer);
    this.#answer = answer;
    const lifeMs = (answer.expiresAt ?? Number.POSITIVE_INFINITY) - clock.now();
    this.#renewAt = clock.now() + lifeMs - Math.min(renewalMs, Math.max(0, lifeMs / 10));
    this.#isStale = false;
    this.#failure = undefined;
    this.#failures = 0;
    this.#acceptance.made();
    this.#wait(minIntervalMs);
    return this.#credential;
  }

  /** No run in so many ms. */
  #wait(ms: number): void {
    this.#notBefore = Math.max(this.#notBefore, this.#host.clock.monotonic() + ms);
  }

  #needsLogin(said: string): LocalizerError {
    const words = lastWords(said);
    const where = words === "" ? "" : `, see its words: ${words}`;
    const sentence = `Cannot log in as "${this.#userName}": needs login: the plug-in "${this.#plugin.name}" is waiting`;
    return new LocalizerError("unauthenticated", `${sentence}${where}`);
  }

  #notAccepted(): LocalizerError {
    const sentence = `The cluster does not accept the credentials of "${this.#userName}"`;
    return new LocalizerError("unauthenticated", `${sentence} (from the plug-in "${this.#plugin.name}")`);
  }

  #credentialOf({ token, certificate }: ExecAnswer): Credential {
    const authorization = token === undefined ? {} : { authorization: bearer(token) };
    const headers = { ...this.#headers, ...authorization };
    return certificate === undefined ? { headers } : { headers, certificate };
  }

  /** The last one left. */
  #abandon(run: Run): void {
    if (run.isRenewal || this.#run !== run) return;
    run.linger = this.#host.clock.after(lingerMs, () => {
      this.#run = undefined;
      run.controller.abort();
    });
  }

  #forget(run: Run): void {
    run.linger?.[Symbol.dispose]();
    if (this.#run === run) this.#run = undefined;
  }
}

/** Waits with others; the last to leave calls `leave`. */
async function waitFor(run: Run, signal: AbortSignal | undefined, leave: (run: Run) => void): Promise<Credential> {
  run.waiters++;
  run.linger?.[Symbol.dispose]();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(new LocalizerError("aborted", "Stopped", { cause: signal?.reason }));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([run.credential, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    if (--run.waiters === 0) leave(run);
  }
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
