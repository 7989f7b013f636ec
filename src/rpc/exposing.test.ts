import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ExposeWish,
  exposeLineOf,
  exposeMessage,
  exposeWishOf,
  lineMessage,
  stopExposeWishOf,
} from "./exposing.ts";
import {
  ConsoleResponseSchema,
  ExposeServiceRequestSchema,
  StopExposeRequestSchema,
} from "./gen/api/v1/localizer_pb.ts";

const cart = { namespace: "shop", service: "cart" };

/** Something in every field. */
const wish: ExposeWish = {
  ...cart,
  portMaps: ["8080:80", "9090"],
  ...{ dryRun: true, yes: true, takeOver: true, allowVolumeLoss: true, allowPartial: true, awaitLocal: true },
  pod: {
    image: "example.org/sshd:1",
    pullSecrets: ["a", "b"],
    labels: { team: "shop" },
    annotations: { note: "a,b=c" },
    mesh: "inherit",
    ...{ cpuRequest: "10m", memoryRequest: "32Mi", cpuLimit: "1", memoryLimit: "256Mi" },
  },
};

function overWire(message: ReturnType<typeof exposeMessage>) {
  return fromBinary(
    ExposeServiceRequestSchema,
    toBinary(ExposeServiceRequestSchema, create(ExposeServiceRequestSchema, message)),
  );
}

describe("exposeMessage(), exposeWishOf()", () => {
  it("carry every field", () => {
    assert.deepEqual(exposeWishOf(overWire(exposeMessage(wish))), wish);
  });

  it("take for not wished what an old client does not send", () => {
    assert.deepEqual(exposeWishOf(overWire(exposeMessage(cart))), {
      ...cart,
      portMaps: [],
      ...{ dryRun: false, yes: false, takeOver: false, allowVolumeLoss: false, allowPartial: false, awaitLocal: false },
      pod: {
        ...{ image: "", pullSecrets: [], labels: {}, annotations: {}, mesh: "" },
        ...{ cpuRequest: "", memoryRequest: "", cpuLimit: "", memoryLimit: "" },
      },
    });
  });

  it("refuse what is no Service, and a mesh word that is not known", () => {
    const asked = (message: object) => () => exposeWishOf(overWire({ ...cart, ...message }));
    assert.throws(asked({ service: "Cart" }), { code: "usage", message: /"shop\/Cart"/ });
    assert.throws(asked({ namespace: "" }), { code: "usage" });
    assert.throws(asked({ pod: { mesh: "istio" } }), {
      code: "usage",
      message: 'Cannot use "istio" as mesh of the pod: want off or inherit',
    });
  });
});

describe("stopExposeWishOf()", () => {
  it("carries every field, and refuses what is no Service", () => {
    const wishOf = (message: object) => stopExposeWishOf(create(StopExposeRequestSchema, message));
    const wish = { ...cart, noWait: true, session: "0f0e0d0c-1111-4222-8333-444455556666" };
    assert.deepEqual(wishOf(wish), wish);
    assert.deepEqual(wishOf(cart), { ...cart, noWait: false, session: "" });
    assert.throws(() => wishOf({ namespace: "shop" }), { code: "usage" });
  });
});

describe("lineMessage(), exposeLineOf()", () => {
  it("carry every level, and take one that is not known for info", () => {
    for (const level of ["info", "warn", "error"] as const) {
      const line = { level, message: "So it is", step: "lease" };
      assert.deepEqual(exposeLineOf(create(ConsoleResponseSchema, lineMessage(line))), line);
    }
    // UNSPECIFIED, and a newer one: what an enum's field holds need not be in the enum (proto3).
    for (const bytes of [
      [0x08, 0],
      [0x08, 7],
    ]) {
      const text = toBinary(ConsoleResponseSchema, create(ConsoleResponseSchema, { message: "So it is" }));
      const line = exposeLineOf(fromBinary(ConsoleResponseSchema, Uint8Array.from([...bytes, ...text])));
      assert.deepEqual(line, { level: "info", message: "So it is", step: "" });
    }
  });
});
