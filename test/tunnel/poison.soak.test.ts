/** The poisoning cases once more; `npm run soak` starts the cluster with one runtime, then the old one, which is the one they kill. */
import { describe } from "node:test";
import { pooledEngines } from "./pod-tunnel.ts";
import { poisonSuite } from "./poison-suite.ts";

for (const engine of pooledEngines) {
  describe(`poison by ${engine}`, () => {
    poisonSuite(engine);
  });
}
