/** kill -9 of a whole daemon behind each line that a start and a stop tell, on the real cluster: one start, or `restore` from anywhere, brings everything back. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fewAtOnce } from "../../src/kube/few-at-once.ts";
import { connectDaemon } from "../../src/rpc/client.ts";
import type { ExposeLine } from "../../src/rpc/exposing.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { type LocalizerPlace, type LocalizerRun, localizerPlace } from "../e2e/localizer-run.ts";
import { killWhole } from "../e2e/whole-run.ts";
import { expose, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace, scaledState } from "./expose-place.ts";
import { restoreFromElsewhere } from "./restore-elsewhere.ts";

/** Behind which of its lines a daemon is killed. */
interface Boundary {
  readonly during: "start" | "stop";
  readonly line: number;
  readonly step: string;
}

/** One daemon with a Service of its own. */
interface Victim extends Boundary {
  readonly service: string;
  readonly files: LocalizerPlace;
  readonly before: unknown;
}

const atOnce = 3;
const ports = [{ name: "http", port: 80, targetPort: "http" }];

describe("kill -9 while exposing", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;

  before(async () => {
    place = stack.use(
      await openExposePlace({ objects: (namespace) => testApp({ name: "model", namespace, replicas: 2, ports }) }),
    );
  });

  after(() => stack.disposeAsync());

  test("behind each line of a start and a stop: all is as before, by the next start or by restore", async (t) => {
    const boundaries = await linesOf(place);
    t.diagnostic(boundaries.map(({ during, step }) => `${during} ${step}`).join(", "));
    assert.ok(boundaries.length >= 10, JSON.stringify(boundaries));
    const victims = await victimsFor(place, boundaries, stack);
    const [again, elsewhere] = [victims.filter((_, index) => index % 2 === 0), victims.filter((_, i) => i % 2 === 1)];

    // Side by side in one namespace: a start must put back its own, and nothing of those that live beside it.
    await fewAtOnce(again, atOnce, async (victim) => {
      await killed(place, victim);
      await using _next = await place.daemon({ place: victim.files });
      await asBefore(place, victim);
      await noJournal(victim);
    });
    await fewAtOnce(elsewhere, atOnce, (victim) => killed(place, victim));
    const { code, stdout, stderr } = await restoreFromElsewhere(place);
    assert.equal(code, 0, `${stdout}${stderr}`);
    for (const victim of elsewhere) await asBefore(place, victim);
    assert.deepEqual(await place.leftovers(), []);

    // The first machine still has its journal, which is of no use any more: what somebody does now stays.
    const late = elsewhere.find(({ step }) => ["scale-down", "exposed", "scale-back"].includes(step));
    assert.ok(late !== undefined);
    await place.kubectl("scale", "deployment", late.service, "--replicas=3");
    await using _next = await place.daemon({ place: late.files });
    await noJournal(late);
    await sleep(500);
    const now = scaledState(await place.get("deployment", late.service));
    assert.equal(Reflect.get(Object(now), "replicas"), 3);
  });

  test("what a killed daemon has left is exposed at once by the next, which looks after it, too: it goes back, and is exposed", async () => {
    const { namespace, cluster } = place;
    const service = "heir";
    await cluster.apply(testApp({ name: service, namespace, replicas: 2, ports }));
    await cluster.waitForReadyPods(namespace, `app=${service}`, 2);
    const files = stack.use(localizerPlace("127.0.0.1 localhost\n"));
    const before = scaledState(await place.get("deployment", service));
    const victim: Victim = { service, files, before, during: "stop", line: 0, step: "scale-back" };
    await killed(place, victim);
    await using next = await place.daemon({ place: files });
    await expose(next, { namespace, service });
    const { stdout, stderr } = await next.cli("list");
    assert.doesNotMatch(`${stdout}${stderr}${next.output()}`, /Cannot (put back|go on)/);
    assert.equal(Reflect.get(Object(scaledState(await place.get("deployment", service))), "replicas"), 0);
    await stopExpose(next, { namespace, service });
    await asBefore(place, victim);
    await noJournal(victim);
  });
});

/** The lines behind which something may have changed. */
async function linesOf(place: ExposePlace): Promise<readonly Boundary[]> {
  const { namespace } = place;
  await place.cluster.waitForReadyPods(namespace, "app=model", 2);
  await using run = await place.daemon();
  const wish = { namespace, service: "model" };
  const boundaries = (during: Boundary["during"], lines: readonly ExposeLine[]) => {
    const looked = lines.findLastIndex(({ step }) => step === "preflight");
    return lines.flatMap(({ step }, line) => (line < looked || step === "ended" ? [] : [{ during, line, step }]));
  };
  const start = boundaries("start", await expose(run, wish));
  return [...start, ...boundaries("stop", await stopExpose(run, wish))];
}

async function victimsFor(
  place: ExposePlace,
  boundaries: readonly Boundary[],
  stack: AsyncDisposableStack,
): Promise<readonly Victim[]> {
  const { namespace, cluster } = place;
  await place.kubectl("delete", "deployment", "model", "--wait=false");
  const named = boundaries.map((boundary, index) => ({ ...boundary, service: `app-${index}` }));
  await cluster.apply(named.flatMap(({ service }) => testApp({ name: service, namespace, replicas: 2, ports })));
  for (const { service } of named) await cluster.waitForReadyPods(namespace, `app=${service}`, 2);
  return await Promise.all(
    named.map(async (one) => ({
      ...one,
      files: stack.use(localizerPlace("127.0.0.1 localhost\n")),
      before: scaledState(await place.get("deployment", one.service)),
    })),
  );
}

/** Exposes, stops if that is when it ends, and kills it behind the line. */
async function killed(place: ExposePlace, { service, files, during, line }: Victim): Promise<void> {
  const { namespace } = place;
  await using run = await place.daemon({ place: files });
  const wish = { namespace, service };
  if (during === "stop") await expose(run, wish);
  await killBehind(run, line, (client) => (during === "start" ? client.expose(wish) : client.stopExpose(wish)));
}

async function killBehind(
  run: LocalizerRun,
  line: number,
  lines: (client: ReturnType<typeof connectDaemon>) => AsyncIterable<ExposeLine>,
): Promise<void> {
  await using client = connectDaemon({ socketPath: run.place.socket });
  let count = 0;
  for await (const _line of lines(client)) {
    if (count++ < line) continue;
    await killWhole(run);
    return;
  }
  throw new Error(`It told ${count} lines, and so was not killed behind line ${line}`);
}

async function asBefore(place: ExposePlace, { service, before, during, step }: Victim): Promise<void> {
  let seen: unknown;
  await waitFor(
    `"${service}", killed behind "${step}" of its ${during}, to be as before`,
    async () => {
      const left = (await place.leftovers()).filter((name) => name.includes(`/localizer-${service}`));
      seen = { state: scaledState(await place.get("deployment", service)), left };
      return JSON.stringify(seen) === JSON.stringify({ state: before, left: [] });
    },
    { timeoutMs: 20_000, intervalMs: 500 },
  ).catch((error: unknown) => {
    assert.deepEqual(seen, { state: before, left: [] }, String(error));
  });
}

async function noJournal({ files }: Victim): Promise<void> {
  const folder = join(files.stateDir, "exposures");
  // What was being written when it was killed is an empty draft, which goes with a start that is a minute later.
  const entries = () => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : []);
  await waitFor("the journal to be empty", () => entries().length === 0, { timeoutMs: 10_000 }).catch(() => {});
  assert.deepEqual(entries(), []);
}
