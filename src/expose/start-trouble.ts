/** What stands in the way of a start, so that the one that takes too long can say why. Used by session. */
import { LocalizerError } from "../errors.ts";
import type { ServiceKey } from "../model/service-key.ts";
import type { ExposeLine, Report } from "./report.ts";

/** Listens to a start. */
export class StartTrouble {
  /** The latest warning whose step has not come right since. */
  #warning: ExposeLine | undefined;
  /** Hands lines on. */
  readonly report: Report;

  constructor(tell: Report) {
    this.report = (line) => {
      // Nobody listening here keeps no start from coming right.
      if (line.level === "warn" && line.step !== "local") this.#warning = line;
      else if (line.step === this.#warning?.step || isReadyAfter(line, this.#warning)) this.#warning = undefined;
      tell(line);
    };
  }

  /**
   * What to throw when the time is over: with what was tried last and failed, else with what was told last.
   * @param sentence that it is late
   * @param cause what the start has ended with
   */
  lateError(sentence: string, cause: LocalizerError): LocalizerError {
    const tried = cause.code === "aborted" || cause.code === "timeout" ? undefined : cause.message;
    const why = tried ?? this.#warning?.message;
    return new LocalizerError("timeout", why === undefined ? sentence : `${sentence}; ${why}`, { cause });
  }
}

/** What a start throws that its user, or another one, has stopped. */
export function givenBack(key: ServiceKey): LocalizerError {
  return new LocalizerError("conflict", `Cannot expose "${key}": it was given back before traffic could flow`);
}

/** A pod that is ready does not wait for what was said of it any more. */
function isReadyAfter({ step }: ExposeLine, warning: ExposeLine | undefined): boolean {
  return step === "ready" && warning?.step === "pod";
}
