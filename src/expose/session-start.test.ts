import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { finished } from "../../test/support/expose-lab.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { LocalizerError } from "../errors.ts";
import { makePod } from "./session-start.ts";

const pod = "localizer-cart-0a1b2c3d-2";

/** A second pod is being made, as at a start. */
function making(keeper: KeeperLab) {
  const { signal } = new AbortController();
  const options = { signal, report: keeper.lines.report };
  return finished(keeper.lab.clock, makePod(keeper.components, keeper.settings, keeper.holdings, options));
}

function says(keeper: KeeperLab, status: object) {
  keeper.lab.patch("pods", pod, { status: { phase: "Running", ...status } });
}

const crashed = {
  containerStatuses: [
    {
      name: "sshd",
      state: { terminated: { exitCode: 127, reason: "Error", message: "no sshd in this image" } },
    },
  ],
};
const sentence = {
  code: "unavailable",
  message: `Pod "${pod}" does not start: Error: container sshd ended with exit code 127 (Error): no sshd in this image`,
};

test("makePod() connects again when SSH is lost before the pod is ready", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const made = making(keeper);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.connections.length === 2);
  await turns(20);
  keeper.connections[1]?.lose();
  await keeper.until(() => keeper.connections.length === 3);
  assert.deepEqual(keeper.warnings, ["Connecting again: The connection was lost"]);
  says(keeper, { conditions: [{ type: "Ready", status: "True" }] });
  await made;
  assert.equal(keeper.lab.find("pods", pod)?.metadata.labels?.app, "cart");
});

test("makePod() fails at once when the image has no sshd, though the pod counts as running", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const began = keeper.lab.clock.monotonic();
  keeper.onDial = () => {
    throw new LocalizerError("refused", "Nobody listens");
  };
  const made = assert.rejects(making(keeper), sentence);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.lab.clock.monotonic() > began);
  says(keeper, crashed);
  await made;
});

test("makePod() fails at once when the container ends while it is waited for", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const made = assert.rejects(making(keeper), sentence);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.connections.length === 2);
  says(keeper, crashed);
  await made;
});
