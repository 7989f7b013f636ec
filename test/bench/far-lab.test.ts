import assert from "node:assert/strict";
import { test } from "node:test";
import { rerouted } from "./far-lab.ts";

test("rerouted() leads elsewhere and keeps whose certificate is expected", () => {
  const text = JSON.stringify({ clusters: [{ name: "c", cluster: { server: "https://198.18.0.2:6443" } }], users: [] });
  assert.deepEqual(JSON.parse(rerouted(text, "https://127.0.0.1:4000")), {
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:4000", "tls-server-name": "198.18.0.2" } }],
    users: [],
  });
});
