import assert from "node:assert/strict";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { openAtSocket } from "./socket-place.ts";

test("openAtSocket() asks for the folder again when another daemon's end took it away", async () => {
  using folder = temporaryFolder();
  const runtime = join(folder.path, "runtime");
  let asked = 0;
  const helper = {
    async prepareRuntimeDir() {
      asked += 1;
      mkdirSync(runtime, { recursive: true });
      return runtime;
    },
  };
  const path = await openAtSocket({ socket: undefined }, { helper, privileged: true }, async (socketPath) => {
    if (asked === 1) rmdirSync(runtime);
    writeFileSync(socketPath, "");
    return socketPath;
  });
  assert.deepEqual([path, asked], [join(runtime, "localizer.sock"), 2]);
});

test("openAtSocket() throws what fails while the folder is there", async () => {
  using folder = temporaryFolder();
  const helper = { prepareRuntimeDir: async () => folder.path };
  const taken = openAtSocket({ socket: undefined }, { helper, privileged: true }, () =>
    Promise.reject(new Error("no")),
  );
  await assert.rejects(taken, /no/);
});
