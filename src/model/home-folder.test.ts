import assert from "node:assert/strict";
import { test } from "node:test";
import { homeFolder } from "./home-folder.ts";

test("homeFolder() believes HOME, then the system", () => {
  assert.equal(
    homeFolder({ HOME: "/h" }, () => "/s"),
    "/h",
  );
  for (const env of [{}, { HOME: "" }])
    assert.equal(
      homeFolder(env, () => "/s"),
      "/s",
    );
});

test("homeFolder() is / for a user that the system does not know", () => {
  const unknown = () => {
    throw new Error("uv_os_homedir returned ENOENT");
  };
  assert.equal(homeFolder({}, unknown), "/");
});
