/** Row half: a client that ends its side after the request, and an answer that takes longer than a second. */
import { connect } from "node:net";
import { type Address, everyPort } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, warmUp } from "./row.ts";
import { inTurnsRunning } from "./turns.ts";

const wanted = 160;
const timeoutMs = 10_000;

const bytes = { name: "bytes of the answer", unit: "", better: "more", reach: `${wanted}` } as const;
const end = { name: "request to the end of the answer", unit: "s", better: "less" } as const;

const limits = `The container runtime cuts an answer one second after the client's end has reached it. localizer holds the end back while
the pod still sends; the answer itself takes 3.2 s, and when the pod has closed first the runtime waits up to a second until it says so.`;

/** One byte, the end of our side, then everything that comes. */
export const halfRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note("one byte, then the client ends its side; the application answers 160 bytes over 3.2 s");
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab), relayContender()];
    await inTurnsRunning(
      contenders,
      { repeats: settings.repeats, signal, log, recorder },
      {
        warmUp,
        async take({ name }, running) {
          const answer = await halfClosed(running.address("slow"), signal);
          return () => {
            recorder.add(bytes, name, answer.bytes);
            recorder.add(end, name, answer.seconds);
          };
        },
      },
    );
  },
};

/** What came until the far side ended, or in 10 s. */
function halfClosed({ host, port }: Address, signal: AbortSignal): Promise<{ bytes: number; seconds: number }> {
  const { promise, resolve } = Promise.withResolvers<{ bytes: number; seconds: number }>();
  const startedMs = performance.now();
  let count = 0;
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, signal });
  socket.setTimeout(timeoutMs, () => socket.destroy());
  socket.on("connect", () => socket.end("x"));
  socket.on("data", (chunk: Buffer) => {
    count += chunk.length;
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve({ bytes: count, seconds: (performance.now() - startedMs) / 1000 }));
  return promise;
}
