/** Plans and keys of exposures, for tests of what is made of them. */
import type { ExposedPort, ExposePlan } from "../../src/expose/plan.ts";
import type { SessionKeys } from "../../src/expose/session-manifests.ts";
import { port } from "../../src/model/port.ts";
import { serviceKey } from "../../src/model/service-key.ts";

/** A plan for "shop/cart", one port, no owner; any part of it can be another. */
export function examplePlan(parts: Partial<ExposePlan> = {}): ExposePlan {
  return {
    key: serviceKey("shop", "cart"),
    serviceUid: "uid-of-cart",
    selector: { app: "cart" },
    ports: [exposedPort(8080)],
    owners: [],
    pod: { imagePullSecrets: [], nodeSelector: {}, tolerations: [] },
    warnings: [],
    ...parts,
  };
}

/** A target port that the Service calls by its number, or by a name. */
export function exposedPort(remote: number, remoteName = "", name = ""): ExposedPort {
  return { servicePort: port(80), name, remote: port(remote), remoteName, local: port(remote) };
}

/** Who the session is. The keys are none that open anything. */
export function exampleKeys(parts: Partial<SessionKeys> = {}): SessionKeys {
  return {
    session: "0a1b2c3d-0000-4000-8000-000000000001",
    lease: { name: "localizer-cart", uid: "uid-of-lease" },
    hostKey: { privateKey: "PRIVATE HOST KEY", publicKey: "ssh-ed25519 HOST" },
    clientPublicKey: "ssh-ed25519 CLIENT",
    holder: "alice@laptop",
    attempt: 1,
    ...parts,
  };
}
