/** Lines of work that goes on whether or not somebody reads them. */
import type { ExposeLine, Report } from "./report.ts";

/** Keeps what is reported until it is read, by one reader. Reading may begin late and end early; the work never notices. */
export class LineFeed implements AsyncIterable<ExposeLine> {
  readonly #lines: ExposeLine[] = [];
  #wake = Promise.withResolvers<void>();
  #end: { readonly error?: unknown } | undefined;

  /** Runs the work with a `report` of this feed; its end, or its error, is the feed's. Never rejects. */
  async follow(work: (report: Report) => Promise<void>): Promise<void> {
    try {
      await work((line) => {
        this.#lines.push(line);
        this.#tell();
      });
      this.#end = {};
    } catch (error) {
      this.#end = { error };
    }
    this.#tell();
  }

  /** Gives the lines as they come; throws what the work has thrown, after the last line. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ExposeLine, void, undefined> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#end === undefined) await this.#wake.promise;
      else if (Object.hasOwn(this.#end, "error")) throw this.#end.error;
      else return;
    }
  }

  #tell(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
