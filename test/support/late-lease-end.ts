/** A server that deletes a Lease at once, and says so a minute later. */
import { setImmediate as turn } from "node:timers/promises";
import type { ApiClient } from "../../src/kube/api-client.ts";
import { Objects } from "../../src/kube/objects.ts";
import type { ExposeLab } from "./expose-lab.ts";

/** The lab's components with it: in the minute, signs of life that go on find no Lease. */
export function lateLeaseEnd(lab: ExposeLab): ExposeLab["components"] {
  const client = lab.client();
  const late: Pick<ApiClient, "request"> = {
    async request(call) {
      const answer = await client.request(call);
      if (call.method !== "DELETE" || !call.path.includes("/leases/")) return answer;
      for (let second = 0; second < 60; second++) {
        await lab.clock.sleep(1_000, call.signal);
        for (let index = 0; index < 20; index++) await turn();
      }
      return answer;
    },
  };
  return { ...lab.components, objects: new Objects(late) };
}
