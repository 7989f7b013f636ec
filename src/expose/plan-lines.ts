/** What the user reads before anything happens. Pure. */
import { nameOf } from "../model/service-key.ts";
import type { ExposePlan } from "./plan.ts";
import type { ExposeLine } from "./report.ts";
import { describeOwner } from "./scale.ts";

/** A line for each port, one for what is scaled, one for each error and warning. */
export function planLines({ key, owners, ports, errors = [], warnings }: ExposePlan): readonly ExposeLine[] {
  const told = (message: string): ExposeLine => ({ level: "info", step: "preflight", message });
  const scaled = owners.map((owner) => `${describeOwner(owner)} (${owner.replicas} to 0)`);
  return [
    ...ports.map(({ servicePort, remote, local }) =>
      told(`Port ${servicePort} of "${nameOf(key)}" (${remote} in the pod) will lead to localhost:${local}`),
    ),
    told(scaled.length === 0 ? "Nothing has to be scaled down" : `To be scaled down: ${scaled.join(", ")}`),
    ...errors.map((message): ExposeLine => ({ level: "error", step: "preflight", message })),
    ...warnings.map((message): ExposeLine => ({ level: "warn", step: "preflight", message })),
  ];
}
