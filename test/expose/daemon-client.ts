/** A daemon's exposures, asked for as a program does. */
import { connectDaemon } from "../../src/rpc/client.ts";
import type { ExposeLine, ExposeRequest } from "../../src/rpc/exposing.ts";
import type { ListedExposure } from "../../src/rpc/listed-exposure.ts";
import type { LocalizerRun } from "../e2e/localizer-run.ts";

/** Exposes; gives all lines once traffic can flow, each also as it comes. Throws what the daemon says. */
export async function expose(
  run: LocalizerRun,
  wish: ExposeRequest,
  onLine: (line: ExposeLine) => void = () => {},
): Promise<readonly ExposeLine[]> {
  await using client = connectDaemon({ socketPath: run.place.socket });
  const lines: ExposeLine[] = [];
  for await (const line of client.expose(wish)) {
    onLine(line);
    lines.push(line);
  }
  return lines;
}

/** Stops; gives all lines once all is back. Throws what the daemon says. */
export async function stopExpose(
  run: LocalizerRun,
  wish: { readonly namespace: string; readonly service: string; readonly noWait?: boolean },
): Promise<readonly ExposeLine[]> {
  await using client = connectDaemon({ socketPath: run.place.socket });
  return await Array.fromAsync(client.stopExpose(wish));
}

/** The daemon's exposure of that Service, as it is listed. */
export async function exposureOf(run: LocalizerRun, service: string): Promise<ListedExposure | undefined> {
  await using client = connectDaemon({ socketPath: run.place.socket });
  const { exposures } = await client.list();
  return exposures.find((exposure) => exposure.service === service);
}
