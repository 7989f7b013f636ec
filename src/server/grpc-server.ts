/**
 * The daemon's end of the wire: a gRPC server on a unix socket that only its owner can use. Promises that a
 * call in progress is answered when the server ends, within a short time, and that the socket is gone afterwards.
 * Used by daemon; knows it only as `DaemonState`.
 */
import { createServer, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Clock, systemClock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { takeDaemonSocket } from "../rpc/daemon-socket.ts";
import { LocalizerService } from "../rpc/gen/api/v1/localizer_pb.ts";
import { Health } from "../rpc/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../rpc/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../rpc/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { errorInterceptor } from "../rpc/status.ts";
import { clusterHeaders } from "./cluster-headers.ts";
import type { DaemonState } from "./daemon-state.ts";
import { healthService } from "./health.ts";
import { localizerService } from "./localizer-service.ts";
import { reflectionService } from "./reflection.ts";

/** A server that accepts calls. Disposing it lets calls in progress end for a moment, then cuts them. */
export interface GrpcServer extends AsyncDisposable {
  readonly socketPath: string;
  /**
   * Resolves when a Kill has been carried out *and* answered: `state.stop()` is over and the caller has the
   * response (or has gone). Only now may the daemon dispose this server and exit. Never rejects; a stop that failed
   * was told to the caller and to the log.
   */
  readonly killed: Promise<void>;
}

/** What the server is made of and may be told. */
export interface GrpcServerOptions {
  readonly socketPath: string;
  readonly state: DaemonState;
  readonly log: Logger;
  readonly clock?: Clock;
  /** How long calls in progress may go on after dispose. */
  readonly graceMs?: number;
}

const services = [LocalizerService, Health, ServerReflection, ServerReflectionAlpha];
const killPath = `/${LocalizerService.typeName}/${LocalizerService.method.kill.name}`;

/**
 * Takes the socket and starts to answer.
 * @throws LocalizerError `conflict` when another daemon answers there, `denied` without the right
 */
export async function openGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { socketPath, state, log, clock = systemClock, graceMs = 1_000 } = options;
  const killed = Promise.withResolvers<void>();
  const shutdown = new AbortController();
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();

  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= state.stop();
    return stopping;
  };

  const reflection = reflectionService(services);
  const handle = connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    readMaxBytes: 1 << 20,
    shutdownSignal: shutdown.signal,
    // The first is the outermost: it sees the errors that the second has made of what was thrown.
    interceptors: [
      clusterHeaders(() => state.cluster()),
      errorInterceptor((error) => log.error("Cannot answer a call", { error })),
    ],
    routes: (router) =>
      router
        .service(LocalizerService, localizerService(state, { stop, clock }))
        .service(Health, healthService(services))
        .service(ServerReflection, reflection)
        .service(ServerReflectionAlpha, reflection),
  });

  const server = createServer((request, response) => {
    if (request.url === killPath) {
      response.once("close", () => stopping?.then(killed.resolve, () => killed.resolve()));
    }
    handle(request, response);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  // What a client does to its own connection is no news.
  server.on("sessionError", () => {});

  await takeDaemonSocket(server, socketPath);
  server.on("error", (error) => log.error("Cannot accept calls", { error }));

  async function close(): Promise<void> {
    shutdown.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of sessions) session.close();
    using _cut = clock.after(graceMs, () => {
      for (const session of sessions) session.destroy();
      // A session that was closed well has still to wait until its client hangs up, and a stopped one never does.
      for (const socket of sockets) socket.destroy();
    });
    await closed;
  }

  let closing: Promise<void> | undefined;
  return {
    socketPath,
    killed: killed.promise,
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };
}
