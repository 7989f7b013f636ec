/** Alice's session of "shop/cart" as it stands in the simulated cluster, and its end. */
import { type EndingSession, type EndOptions, endingOwners, endSession } from "../../src/expose/endings.ts";
import { annotations, labels, type SessionRecord } from "../../src/expose/records.ts";
import { takeLease } from "../../src/expose/session-lease.ts";
import { cart, type ExposeLab, exampleRecord, finished, keptLines, sessions } from "./expose-lab.ts";

/** Annotations of an owner that had 3 replicas. */
export function held(...names: readonly string[]) {
  return { [annotations.session]: names.join(","), [annotations.replicas]: "3", [annotations.holder]: "alice@laptop" };
}

/** A session of "shop/cart" in full: owner at 0, pod in the slice, Secret, Lease. */
export async function exposedCart(lab: ExposeLab, parts: Partial<SessionRecord> = {}) {
  lab.service();
  const owner = lab.deployment("cart", 0, held(sessions.alice));
  const pod = lab.pod("localizer-cart-0a1b2c3d", sessions.alice);
  lab.slice([{ pod }]);
  lab.add("secrets", "localizer-cart-0a1b2c3d", { labels: { [labels.session]: sessions.alice } });
  const record = exampleRecord({ owners: [{ ...owner, replicas: 3 }], ...parts });
  await takeLease(lab.components, record, { durationMs: 60_000 });
  const session: EndingSession = {
    session: record.session,
    namespace: "shop",
    key: cart,
    owners: endingOwners(record),
  };
  lab.writes.length = 0;
  return { owner, pod, session };
}

/** Ends it, moving the clock on. */
export function end(
  lab: ExposeLab,
  session: EndingSession,
  {
    waitMs = 0,
    signal = new AbortController().signal,
    ...rest
  }: Partial<Pick<EndOptions, "waitMs" | "signal" | "lastAnswers">> = {},
) {
  const { report, lines } = keptLines();
  const ended = finished(lab.clock, endSession(lab.components, session, { ...rest, signal, report, waitMs }));
  const told = () => lines.map(({ level, step, message }) => `${level} ${step}: ${message}`);
  return { ended, told };
}

/** The controllers of a cluster: whoever has the Service's label is in the slice. */
export function followSlices(lab: ExposeLab): Disposable {
  return lab.server.store.subscribe(({ resource }) => {
    if (resource.plural !== "pods") return;
    const pods = lab.server.store.list(resource, "shop");
    lab.slice(pods.filter(({ metadata }) => metadata.labels?.app === "cart").map((pod) => ({ pod })));
  });
}
