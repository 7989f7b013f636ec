/** A credential plug-in by hand: no process, every run is answered by the test. */
import type { PluginCommand, StartPlugin } from "../../src/kube/run-plugin.ts";

/** One run that was started. */
export interface PluginRun {
  readonly command: PluginCommand;
  /** Signals that it was sent. */
  readonly kills: readonly string[];
  stdout(text: string): void;
  stderr(text: string): void;
  end(code: number | null, signal?: string): void;
  /** It could not be started: the system's error. */
  fail(code: string): void;
}

/** Starts runs and keeps them. `obeys`: a SIGTERM ends a run, as it does most programs. */
export class FakePlugin {
  readonly runs: PluginRun[] = [];
  readonly #obeys: boolean;

  constructor({ obeys = true }: { readonly obeys?: boolean } = {}) {
    this.#obeys = obeys;
  }

  /** The newest run. */
  get last(): PluginRun {
    const run = this.runs.at(-1);
    if (run === undefined) throw new Error("no run was started");
    return run;
  }

  /** The newest run prints a token, ends well. */
  answer(token: string, expirationTimestamp?: string): void {
    this.last.stdout(execCredential({ token, ...(expirationTimestamp === undefined ? {} : { expirationTimestamp }) }));
    this.last.end(0);
  }

  readonly start: StartPlugin = (command, output) => {
    const ended = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const kills: string[] = [];
    this.runs.push({
      command,
      kills,
      stdout: (text) => output.stdout(Buffer.from(text)),
      stderr: (text) => output.stderr(Buffer.from(text)),
      end: (code, signal) => ended.resolve({ code, signal: signal ?? null }),
      fail: (code) => ended.reject(Object.assign(new Error(`${code}: failed`), { code })),
    });
    const kill = (signal: string) => {
      kills.push(signal);
      if (this.#obeys || signal === "SIGKILL") ended.resolve({ code: null, signal });
    };
    return { ended: ended.promise, kill };
  };
}

/** What a plug-in of v1 prints. */
export function execCredential(status: object): string {
  return JSON.stringify({ kind: "ExecCredential", apiVersion: "client.authentication.k8s.io/v1", status });
}
