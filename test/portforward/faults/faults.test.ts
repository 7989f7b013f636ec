/** Every fault suite over every carrier. */
import { describe } from "node:test";
import { connectionFaults } from "./connection-faults.ts";
import { departureFaults } from "./departure-faults.ts";
import { faultCarriers } from "./fault-lab.ts";
import { streamFaults } from "./stream-faults.ts";
import { upgradeFaults } from "./upgrade-faults.ts";

for (const carrier of faultCarriers) {
  describe(`faults by ${carrier.name}`, () => {
    // Behind the upgrade GET is what POST is.
    if (carrier.engine !== "get-spdy") {
      streamFaults(carrier);
      connectionFaults(carrier);
      departureFaults(carrier);
    }
    upgradeFaults(carrier);
  });
}
