import assert from "node:assert/strict";
import { test } from "node:test";
import { ExposeLab, sessions } from "../../test/support/expose-lab.ts";
import { end, exposedCart, followSlices } from "../../test/support/exposed-cart.ts";

const pod = "localizer-cart-0a1b2c3d";

/** How long the pod is there after it has lost the Service's label, by the lab's clock. */
function watchPod(lab: ExposeLab): Disposable & { readonly stayedMs: () => number } {
  let leftAtMs = Number.NaN;
  let goneAtMs = Number.NaN;
  const watch = lab.server.store.subscribe(({ type, resource, object }) => {
    if (resource.plural !== "pods" || object.metadata.name !== pod) return;
    if (type === "DELETED") goneAtMs = lab.clock.monotonic();
    else if (object.metadata.labels?.app === undefined && Number.isNaN(leftAtMs)) leftAtMs = lab.clock.monotonic();
  });
  return { stayedMs: () => goneAtMs - leftAtMs, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}

test("endSession() waits for the pod to leave the slice, 3 s at most, before it deletes it", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  const began = lab.clock.monotonic();
  await end(lab, session).ended;
  const tookMs = lab.clock.monotonic() - began;
  assert.ok(tookMs >= 3_000 && tookMs < 3_100, String(tookMs));
  assert.deepEqual(lab.names("pods"), []);
});

test("endSession() does not wait for a Service that is gone, nor for a pod that has none of its labels", async () => {
  await using lab = await ExposeLab.open();
  const { session, pod } = await exposedCart(lab);
  lab.remove("services", "cart");
  await end(lab, session).ended;
  assert.ok(!lab.writes.includes(`PATCH pods/${pod.metadata.name}`));
  assert.deepEqual(lab.names("pods"), []);
});

test("endSession() deletes a pod that never got the Service's labels at once", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  lab.patch("services", "cart", { spec: { selector: { app: "another" } } });
  lab.patch("pods", "localizer-cart-0a1b2c3d", { metadata: { labels: { app: null } } as object });
  await end(lab, session).ended;
  assert.ok(!lab.writes.includes("PATCH pods/localizer-cart-0a1b2c3d"));
});

test("endSession() that waits for the workload gives the nodes 1.5 s to notice that the pod has left, once, before it deletes it", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  lab.pod("cart-7d4b");
  lab.pod(`${pod}-2`, sessions.alice);
  using _slices = followSlices(lab);
  using watched = watchPod(lab);
  await end(lab, session, { waitMs: 60_000 }).ended;
  const stayedMs = watched.stayedMs();
  assert.ok(stayedMs >= 1_500 && stayedMs < 1_700, String(stayedMs));
  assert.deepEqual(lab.names("pods"), ["cart-7d4b"]);
});

test("endSession() in a hurry deletes the pod as soon as it has left the slice", async () => {
  await using lab = await ExposeLab.open();
  const { session } = await exposedCart(lab);
  using _slices = followSlices(lab);
  using watched = watchPod(lab);
  await end(lab, session).ended;
  assert.ok(watched.stayedMs() < 200, String(watched.stayedMs()));
});

for (const { waitMs, asked } of [
  { waitMs: 60_000, asked: ["without its label"] },
  { waitMs: 0, asked: [] },
]) {
  test(`endSession() that waits ${waitMs} ms for the workload asks ${asked.length} times for the last answers, before the pod goes`, async () => {
    await using lab = await ExposeLab.open();
    const { session } = await exposedCart(lab);
    lab.pod("cart-7d4b");
    using _slices = followSlices(lab);
    const seen: string[] = [];
    const lastAnswers = async () => {
      const found = lab.find("pods", pod);
      if (found !== undefined) seen.push(found.metadata.labels?.app === undefined ? "without its label" : "with it");
    };
    await end(lab, session, { waitMs, lastAnswers }).ended;
    assert.deepEqual(seen, asked);
    assert.deepEqual(lab.names("pods"), ["cart-7d4b"]);
  });
}
