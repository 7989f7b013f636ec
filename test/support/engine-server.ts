/** An API server, or a gateway before it, that lets some engines pass and refuses others as a test says. */
import type { Duplex } from "node:stream";
import type { Cluster } from "../../src/kube/kubeconfig.ts";
import { encode, FrameDecoder } from "./spdy-frames.ts";
import { httpAnswer, openUpgradeServer, switching, type UpgradeRequest } from "./upgrade-server.ts";
import { serverFrame, TunnelPeer, webSocketAnswer } from "./websocket-peer.ts";

/** What a request asks for. */
export type AskedEngine = "post-spdy" | "get-spdy" | "websocket" | "v4";

/** Does something with a request; when it says so, a runtime answers it. */
export type AnswerRequest = (request: UpgradeRequest) => unknown;

/** What becomes of a request. */
export type EngineAnswer = "works" | AnswerRequest;

/** The server. Disposing it closes every connection. */
export interface EngineServer extends AsyncDisposable {
  readonly cluster: Cluster;
  /** What was asked for so far, as `engine` or, with `v4`, `engine:port`. */
  readonly asked: string[];
  readonly requests: readonly UpgradeRequest[];
  /** May be changed at any time; what is not in it gets a 405. */
  readonly answers: Map<AskedEngine, EngineAnswer>;
}

/** Listens on 127.0.0.1. */
export async function openEngineServer(
  answers: Partial<Record<AskedEngine, EngineAnswer>>,
  cluster: Partial<Cluster> = {},
): Promise<EngineServer> {
  const table = new Map<AskedEngine, EngineAnswer>();
  for (const engine of ["post-spdy", "get-spdy", "websocket", "v4"] as const) {
    const answer = answers[engine];
    if (answer !== undefined) table.set(engine, answer);
  }
  const asked: string[] = [];
  const answerAll = (request: UpgradeRequest) => {
    const engine = engineOf(request.head);
    const port = /\?ports=(\d+)/.exec(request.head)?.[1];
    asked.push(port === undefined ? engine : `${engine}:${port}`);
    const answer = table.get(engine) ?? answering("405 Method Not Allowed", "<html>no</html>");
    if (answer === "works" || answer(request) === "works") work(engine, request, Number(port));
  };
  const server = await openUpgradeServer(answerAll, { cluster });
  return {
    cluster: server.cluster,
    requests: server.requests,
    asked,
    answers: table,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** An answer in HTTP. */
export function answering(status: string, body = ""): AnswerRequest {
  return ({ socket }) => socket.write(httpAnswer(status, body));
}

/** A Status of the API server. */
export function answeringStatus(status: string, message: string, kind?: string): AnswerRequest {
  return answering(status, JSON.stringify({ kind: "Status", status: "Failure", message, details: { kind } }));
}

function engineOf(head: string): AskedEngine {
  if (/^upgrade: *websocket/im.test(head)) return /SPDY\/3\.1\+portforward\.k8s\.io/i.test(head) ? "websocket" : "v4";
  return head.startsWith("POST") ? "post-spdy" : "get-spdy";
}

function work(engine: AskedEngine, { head, socket }: UpgradeRequest, port: number): void {
  socket.write(engine.endsWith("spdy") ? switching : webSocketAnswer(head));
  if (engine !== "v4") {
    answerPings(engine === "websocket" ? new TunnelPeer(socket) : socket);
    return;
  }
  socket.resume();
  for (const channel of [0, 1]) socket.write(serverFrame(2, Buffer.from([channel, port % 256, port >> 8])));
}

function answerPings(socket: Duplex): void {
  const decoder = new FrameDecoder();
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) if (frame.kind === "ping") socket.write(encode(frame));
  });
}
