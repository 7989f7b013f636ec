/** The wire suite on the runtime that the cluster runs, by every engine. */
import { describe } from "node:test";
import { engineNames } from "../../src/model/engine-name.ts";
import { wireSuite } from "./wire-suite.ts";

describe("port-forward", () => {
  wireSuite();
});

for (const engine of engineNames) {
  describe(`port-forward by ${engine}`, () => {
    wireSuite(engine);
  });
}
