/** The poisoning cases on the runtime that the cluster runs. */
import { describe } from "node:test";
import { pooledEngines } from "./pod-tunnel.ts";
import { poisonSuite } from "./poison-suite.ts";

for (const engine of pooledEngines) {
  describe(`poison by ${engine}`, () => {
    poisonSuite(engine);
  });
}
