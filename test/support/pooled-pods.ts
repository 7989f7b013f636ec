/** A pool whose connections end at runtimes that the test plays by hand, or that play themselves. */
import { LocalizerError } from "../../src/errors.ts";
import type { PodRef } from "../../src/model/endpoint.ts";
import { port } from "../../src/model/port.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import type { PoolOptions } from "../../src/portforward/pool-options.ts";
import { SpdyConnection } from "../../src/portforward/spdy-connection.ts";
import { Surroundings } from "../../src/portforward/surroundings.ts";
import { duplexPair } from "./duplex-pair.ts";
import { turns } from "./event-loop.ts";
import { FakeClock } from "./fake-clock.ts";
import { SpdyRuntime, type StreamPair } from "./spdy-runtime.ts";

/** One connection that was made. */
export interface MadeConnection {
  readonly pod: PodRef;
  readonly connection: SpdyConnection;
  readonly runtime: SpdyRuntime;
}

/** How dials go from now on: whether they wait, fail, and lead to runtimes that answer pings and accept streams. */
export interface Gate {
  wait: Promise<void> | undefined;
  failure: LocalizerError | undefined;
  answersPings: boolean;
  acceptsStreams: boolean;
  /** The upgrade succeeds, and the connection is closed before it is handed out. */
  endsEarly: boolean;
  /** What is found out about silent connections. */
  path: "alive" | "dead";
  /** This machine's. */
  addresses: ReadonlySet<string>;
}

/** The pod whose connections most tests want. */
export const shopPod: PodRef = { namespace: "shop", name: "cart-0", uid: "u1" };

/** A dialer over runtimes. */
export function pooledPods(options: Partial<PoolOptions> = {}) {
  const clock = new FakeClock();
  const made: MadeConnection[] = [];
  const gate: Gate = {
    ...{ wait: undefined, failure: undefined, endsEarly: false },
    ...{ answersPings: false, acceptsStreams: false },
    ...{ path: "alive", addresses: new Set(["10.0.0.1"]) },
  };
  const connect = async (pod: PodRef) => {
    await gate.wait;
    if (gate.failure !== undefined) throw gate.failure;
    const { near, far } = duplexPair();
    const connection = new SpdyConnection(near, Buffer.alloc(0), clock, async () => gate.path);
    const runtime = new SpdyRuntime(far);
    runtime.answersPings = gate.answersPings;
    runtime.acceptsStreams = gate.acceptsStreams;
    made.push({ pod, connection, runtime });
    if (gate.endsEarly) await connection[Symbol.asyncDispose]();
    return connection;
  };
  const surroundings = new Surroundings({ clock, addresses: () => gate.addresses });
  const dialer = openPodDialer({ connect, clock, surroundings }, options);
  const never = new AbortController().signal;
  return {
    ...{ clock, made, gate, dialer },
    dial: (signal = never, pod = shopPod) => dialer.dial({ pod, port: port(80) }, signal),
    runtime(index: number): SpdyRuntime {
      const found = made[index]?.runtime;
      if (found === undefined) throw new LocalizerError("internal", `there are ${made.length} connections`);
      return found;
    },
  };
}

/** Answers the pings that came, or all but so many; drops all other frames. Returns how many pings came. */
export async function pong(runtime: SpdyRuntime, butFor = 0): Promise<number> {
  await turns();
  const pings = runtime.frames.filter((frame) => frame.kind === "ping");
  runtime.frames.length = 0;
  const answers = pings.slice(butFor);
  if (answers.length > 0) runtime.send(...answers);
  await turns();
  return pings.length;
}

/** Ends a pair as a pod does that has closed. */
export function endPair(runtime: SpdyRuntime, { dataId, errorId }: StreamPair): void {
  runtime.fin(dataId, errorId);
}
