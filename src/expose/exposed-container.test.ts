import assert from "node:assert/strict";
import { test } from "node:test";
import { exposedPort } from "../../test/support/expose-plan.ts";
import { exposedContainer } from "./exposed-container.ts";

const proxy = { name: "proxy", ports: [{ name: "admin", containerPort: 9000 }] };
const app = { name: "app", ports: [{ name: "http", containerPort: 8080 }, { containerPort: 8081 }] };
const pod = { spec: { containers: [proxy, app] } };

test("exposedContainer() is the one that has the port, by name or by number", () => {
  assert.equal(exposedContainer(pod, [exposedPort(8080, "http")]), app);
  assert.equal(exposedContainer(pod, [exposedPort(8081)]), app);
  assert.equal(exposedContainer(pod, [exposedPort(9000), exposedPort(8081)]), proxy);
});

test("exposedContainer() is the first one where none says that it has the port", () => {
  assert.equal(exposedContainer(pod, [exposedPort(1)]), proxy);
  assert.equal(exposedContainer({}, [exposedPort(1)]), undefined);
});
