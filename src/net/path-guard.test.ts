import assert from "node:assert/strict";
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { leaveStale } from "../../test/support/stale-socket.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { guardPath } from "./path-guard.ts";

describe("guardPath()", () => {
  it("has one holder at a time, and leaves nothing behind", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    const first = await guardPath(path);
    assert.ok(first);
    assert.equal(await guardPath(path), undefined);
    await using other = await guardPath(join(dir.path, "t"));
    assert.ok(other, "another path is another guard");
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    const second = await guardPath(path);
    assert.ok(second);
    await first[Symbol.asyncDispose]();
    assert.equal(await guardPath(path), undefined, "an old holder lets go of nothing that is not its own");
    await second[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(dir.path), []);
  });

  it("takes over from a dead holder, and from one who died while he took over", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    await leaveStale(join(dir.path, ".deadhold.sock"));
    for (const left of ["", "{", "deadhold"]) {
      writeFileSync(`${path}.lock`, left);
      writeFileSync(`${path}.lock-after-${left === "deadhold" ? left : "nobody"}`, "deadheir");
      const rivals = await Promise.all(Array.from({ length: 8 }, () => guardPath(path)));
      const holders = rivals.filter((rival) => rival !== undefined);
      assert.equal(holders.length, 1);
      assert.match(readFileSync(`${path}.lock`, "utf8"), /^[\w-]{8}$/);
      await holders[0]?.[Symbol.asyncDispose]();
      const names = readdirSync(dir.path);
      assert.deepEqual(names, left === "deadhold" ? [] : [".deadhold.sock"]);
    }
  });

  it("never follows a link in the place of its file", async () => {
    using dir = temporaryFolder();
    const path = join(dir.path, "s");
    writeFileSync(join(dir.path, "elsewhere"), "somebody");
    symlinkSync(join(dir.path, "elsewhere"), `${path}.lock`);
    await assert.rejects(guardPath(path), { message: /^Cannot guard ".*": / });
    assert.deepEqual(readdirSync(dir.path).toSorted(), ["elsewhere", "s.lock"]);
  });
});
