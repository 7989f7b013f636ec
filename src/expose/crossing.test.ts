import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { port } from "../model/port.ts";
import { serviceKey } from "../model/service-key.ts";
import { crossing } from "./crossing.ts";

const plan = (name: string, selector: Record<string, string>, remote: number, local: number, namespace = "shop") => ({
  key: serviceKey(namespace, name),
  selector,
  ports: [{ servicePort: port(80), name: "", remote: port(remote), remoteName: "", local: port(local) }],
});

describe("crossing()", () => {
  it("is none where neither Service selects the other's pod", () => {
    assert.equal(crossing(plan("a", { app: "a" }, 8080, 1), plan("b", { app: "b" }, 9090, 2)), undefined);
    assert.equal(crossing(plan("a", { app: "x" }, 8080, 1), plan("b", { app: "x" }, 9090, 2, "other")), undefined);
  });

  it("is none where both lead to the same local port", () => {
    assert.equal(crossing(plan("a", { app: "x" }, 8080, 1), plan("b", { app: "x" }, 8080, 1)), undefined);
  });

  it("names the Service, the port and the one to stop where they do not", () => {
    const same = crossing(plan("a", { app: "x" }, 8080, 1), plan("b", { app: "x" }, 9090, 2));
    assert.match(
      same ?? "",
      /^Service "shop\/a" would send connections to port 80 also to the pod of "shop\/b".*stop exposing "shop\/b" first$/,
    );
    assert.notEqual(crossing(plan("a", { app: "x" }, 8080, 1), plan("b", { app: "x" }, 8080, 2)), undefined);
  });

  it("looks both ways: a Service with fewer labels selects the pod of one with more", () => {
    const wide = plan("wide", { app: "x" }, 8080, 1);
    const narrow = plan("narrow", { app: "x", role: "r" }, 9090, 2);
    assert.match(crossing(narrow, wide) ?? "", /^Service "shop\/wide" would send .* pod of "shop\/narrow"/);
    assert.match(crossing(wide, narrow) ?? "", /^Service "shop\/wide" would send .* pod of "shop\/narrow"/);
  });
});
