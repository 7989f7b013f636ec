/** How far a connection has come when something happens to it. */
import { turns } from "../../support/event-loop.ts";
import type { SpdyRuntime, StreamPair } from "../../support/spdy-runtime.ts";
import type { App, FarEnd, FaultLab } from "./fault-lab.ts";

/** The moments, in order. The application has asked; it hears the answer between the second and the third. */
export const moments = ["before the reply", "after the reply", "after data", "after the data stream's FIN"] as const;

/** One of them. */
export type Moment = (typeof moments)[number];

/** A connection on which something is going to happen. */
export interface Scene {
  readonly app: App;
  readonly farEnd: FarEnd;
  readonly runtime: SpdyRuntime;
  readonly pair: StreamPair;
}

/** What the runtime answers. */
export const answer = "answer";

/** What the application has heard by then. */
export function heardBy(moment: Moment): string {
  return moments.indexOf(moment) >= 2 ? answer : "";
}

/** Brings a first connection to the moment. */
export async function bringTo(moment: Moment, lab: FaultLab): Promise<Scene> {
  const app = lab.call();
  app.socket.write("question");
  const farEnd = await lab.farEnd();
  const { runtime } = farEnd;
  const pair = await runtime.takePair();
  await runtime.takeData("question".length);
  const at = moments.indexOf(moment);
  if (at >= 1) reply(runtime, pair);
  if (at >= 2) {
    runtime.say(pair.dataId, answer);
    await app.heard(answer);
  }
  if (at >= 3) runtime.fin(pair.dataId);
  await turns(20);
  return { app, farEnd, runtime, pair };
}

/** Says the rest that a runtime says where nothing goes wrong. */
export function finish(moment: Moment, { runtime, pair }: Scene): void {
  const at = moments.indexOf(moment);
  if (at < 1) reply(runtime, pair);
  if (at < 2) runtime.say(pair.dataId, answer);
  if (at < 3) runtime.fin(pair.dataId);
  runtime.fin(pair.errorId);
}

function reply(runtime: SpdyRuntime, { dataId, errorId }: StreamPair): void {
  const accepted = { kind: "reply", fin: false } as const;
  runtime.send({ ...accepted, streamId: dataId }, { ...accepted, streamId: errorId });
}
