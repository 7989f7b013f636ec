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
  return await told(client.expose(wish), onLine);
}

/** Stops; gives all lines once all is back, each also as it comes. Throws what the daemon says. */
export async function stopExpose(
  run: LocalizerRun,
  wish: { readonly namespace: string; readonly service: string; readonly noWait?: boolean },
  onLine: (line: ExposeLine) => void = () => {},
): Promise<readonly ExposeLine[]> {
  await using client = connectDaemon({ socketPath: run.place.socket });
  return await told(client.stopExpose(wish), onLine);
}

/** The daemon's exposure of that Service, as it is listed. */
export async function exposureOf(run: LocalizerRun, service: string): Promise<ListedExposure | undefined> {
  await using client = connectDaemon({ socketPath: run.place.socket });
  const { exposures } = await client.list();
  return exposures.find((exposure) => exposure.service === service);
}

async function told(
  lines: AsyncIterable<ExposeLine>,
  onLine: (line: ExposeLine) => void,
): Promise<readonly ExposeLine[]> {
  const all: ExposeLine[] = [];
  for await (const line of lines) {
    onLine(line);
    all.push(line);
  }
  return all;
}
