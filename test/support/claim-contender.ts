/** A process that claims a cluster, says how that went, and then waits to be killed: `node claim-contender.ts FOLDER`. */
import { claimCluster } from "../../src/daemon/cluster-claim.ts";
import { codeOf } from "../../src/errors.ts";

const [folder = ""] = process.argv.slice(2);
const options = { folder, serverUrl: "https://10.0.0.1:6443/", clusterName: "dev" };
try {
  await claimCluster(options);
  process.stdout.write("claimed\n");
  // Holds it until its input ends or it is killed.
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`${codeOf(error)}\n`);
}
