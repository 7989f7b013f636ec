import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lab, LabWish } from "./lab.ts";
import { LabShelf } from "./lab-shelf.ts";

/** A shelf, and what was opened and disposed so far. */
function shelfWithNews() {
  const news: string[] = [];
  const shelf = new LabShelf(async ({ services = 1, ports }: LabWish) => {
    const name = `${services} ${ports.join("+")}`;
    news.push(`open ${name}`);
    const lab: Pick<Lab, "namespace"> & AsyncDisposable = {
      namespace: name,
      async [Symbol.asyncDispose]() {
        news.push(`end ${name}`);
      },
    };
    // The shelf looks at nothing but how it is disposed.
    return lab as Lab;
  });
  return { shelf, news };
}

test("LabShelf keeps a lab for the next row that wants the same, and disposes it for one with other ports or pods", async () => {
  const { shelf, news } = shelfWithNews();
  for (const wish of [{ ports: ["echo", "sink"] }, { ports: ["echo", "sink"] }, { ports: ["echo"] }] as const) {
    await using _lab = await shelf.lend(wish);
  }
  assert.deepEqual(news, ["open 1 echo+sink", "end 1 echo+sink", "open 1 echo"]);
  await shelf.lend({ ports: ["echo"], pods: 2 });
  assert.deepEqual(news.slice(3), ["end 1 echo", "open 1 echo"]);
});

test("LabShelf keeps a large one though it has a port more", async () => {
  const { shelf, news } = shelfWithNews();
  for (const ports of [["echo", "source"], ["echo"], ["echo", "sink"]] as const) {
    await using _lab = await shelf.lend({ ports, services: 5000 });
  }
  assert.deepEqual(news, ["open 5000 echo+source", "end 5000 echo+source", "open 5000 echo+sink"]);
  await shelf[Symbol.asyncDispose]();
  assert.equal(news.at(-1), "end 5000 echo+sink");
});
