import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultStateFolder } from "./state-folder.ts";

test("defaultStateFolder() follows the XDG variable when it is absolute", () => {
  assert.equal(defaultStateFolder({ XDG_STATE_HOME: "/s" }, "/home/a"), "/s/localizer");
  assert.equal(defaultStateFolder({ XDG_STATE_HOME: "s" }, "/home/a"), "/home/a/.local/state/localizer");
  assert.equal(defaultStateFolder({}, "/home/a"), "/home/a/.local/state/localizer");
});
