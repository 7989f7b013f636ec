/** The wire suite on the runtime that the cluster runs. */
import { describe } from "node:test";
import { wireSuite } from "./wire-suite.ts";

describe("port-forward", () => {
  wireSuite();
});
