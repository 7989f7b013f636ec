import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";

const bin = join(import.meta.dirname, "../../bin/localizer.ts");
const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };

test("the program, started as the system starts it, keeps --env-file from Node", () => {
  const words = [bin, "expose", "--env-file", "no such file", "--help"];
  assert.match(execFileSync("/bin/sh", words, { env, encoding: "utf8" }), /^ {2}localizer expose /m);
});

test("the program, started as the system starts it, passes on its words, its exit code and nothing else", () => {
  const run = () => execFileSync("/bin/sh", [bin, "no such  command"], { env, encoding: "utf8", stdio: "pipe" });
  assert.throws(run, (error: Error) => {
    assert.match(String(Reflect.get(error, "stderr")), /^localizer: .*"no such {2}command"/);
    assert.equal(Reflect.get(error, "status"), 2);
    return true;
  });
});
