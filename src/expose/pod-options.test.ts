import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "../errors.ts";
import { podOptions } from "./pod-options.ts";

test("podOptions() has a default for whatever was not said", () => {
  assert.deepEqual(podOptions({ image: "", cpuLimit: "" }, "1.2.3"), {
    image: "ghcr.io/getoutreach/localizer-sshd:v1.2.3",
    imagePullPolicy: "IfNotPresent",
    pullSecrets: [],
    requests: { cpu: "10m", memory: "32Mi" },
    limits: { cpu: "1", memory: "512Mi" },
    labels: {},
    annotations: {},
    mesh: "off",
  });
});

test("podOptions() takes what was said", () => {
  const wish = {
    image: "registry.example/sshd:1",
    pullSecrets: ["pull"],
    labels: { team: "a" },
    annotations: { note: "b" },
    mesh: "inherit",
    cpuRequest: "1m",
    memoryRequest: "1Mi",
    cpuLimit: "2m",
    memoryLimit: "2Mi",
  };
  assert.deepEqual(podOptions(wish, "1.2.3"), {
    image: "registry.example/sshd:1",
    imagePullPolicy: "IfNotPresent",
    pullSecrets: ["pull"],
    requests: { cpu: "1m", memory: "1Mi" },
    limits: { cpu: "2m", memory: "2Mi" },
    labels: { team: "a" },
    annotations: { note: "b" },
    mesh: "inherit",
  });
});

test("podOptions() refuses a word for meshes that it does not know", () => {
  assert.throws(
    () => podOptions({ mesh: "on" }, "1.2.3"),
    (error) => codeOf(error) === "usage" && /"on".*"off" or "inherit"/.test(String(error)),
  );
});
