/** Row start: from nothing to the first echo, and to the end again. */
import { echoOnce } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { packageNote, type Row } from "./row.ts";
import { inTurns } from "./turns.ts";

const toEcho = { name: "start to first echo", unit: "s", better: "less" } as const;
const toEnd = { name: "SIGINT to end", unit: "s", better: "less" } as const;

const limits = `localizer starts two processes of Node, the helper and the user's part, lists all Services and their
slices, opens and hands over a listener for each port, and tries one port-forward before it says that it is ready; kubectl is one process of Go
that looks up one Service and one pod.`;

/** One Service with one port. A start is a new process each time. */
export const startRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note("one Service; each connects when the tool has said that it is ready; relay has no part in it");
    recorder.note(packageNote);
    await using lab = await openLab({ ports: ["echo"] });
    const contenders = [localizerContender(lab), kubectlContender(lab)];
    const { repeats } = settings;
    await inTurns(contenders, { repeats, signal, log, recorder }, async (contender) => {
      const startedMs = performance.now();
      await using running = await contender.start(signal);
      await echoOnce(running.address("echo"));
      const echoSeconds = (performance.now() - startedMs) / 1000;
      const stopMs = performance.now();
      await running.process.interrupt();
      const endSeconds = (performance.now() - stopMs) / 1000;
      return () => {
        recorder.add(toEcho, contender.name, echoSeconds);
        recorder.add(toEnd, contender.name, endSeconds);
      };
    });
  },
};
