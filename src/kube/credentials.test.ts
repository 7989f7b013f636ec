import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenFromFile } from "./credentials.ts";

/** A token file by hand; undefined: it cannot be read. */
function tokenFile(options: Parameters<typeof tokenFromFile>[2] = {}) {
  const file: { text: string | undefined } = { text: undefined };
  const readFile = async () => {
    if (file.text === undefined) throw new Error("EIO: failed");
    return Buffer.from(file.text);
  };
  return { file, credentials: tokenFromFile("/tok", readFile, options) };
}

test("tokenFromFile() gives the same object while the file says the same, and its headers with every token", async () => {
  const { file, credentials } = tokenFile({ headers: { "impersonate-user": "jane" } });
  file.text = "one\n";
  const one = await credentials.current();
  assert.deepEqual(one.headers, { "impersonate-user": "jane", authorization: "Bearer one" });
  assert.equal(await credentials.current(), one);
  assert.equal(credentials.rejected(one), false);
  file.text = "two";
  const two = await credentials.current();
  assert.equal(two.headers.authorization, "Bearer two");
  assert.equal(credentials.rejected(one), true, "there is a newer one");
});

for (const [title, text, sentence] of [
  ["cannot be read", undefined, /Cannot read the token file "\/tok": EIO/],
  ["is empty", " \n", /Cannot read the token file "\/tok": it is empty/],
  ["is no token", "one\ntwo", /"\/tok": it holds a line break or control character/],
] as const) {
  test(`tokenFromFile() throws, and shows, unauthenticated when the file ${title} and nothing else is known`, async () => {
    const { file, credentials } = tokenFile();
    file.text = text;
    await assert.rejects(credentials.current(), { code: "unauthenticated", message: sentence });
    assert.match(credentials.failure?.message ?? "", sentence);
    file.text = "right";
    await credentials.current();
    assert.equal(credentials.failure, undefined);
    file.text = text;
    assert.equal((await credentials.current()).headers.authorization, "Bearer right");
  });

  test(`tokenFromFile() sends the fallback when the file ${title}`, async () => {
    const { file, credentials } = tokenFile({ fallback: "spare" });
    file.text = text;
    assert.equal((await credentials.current()).headers.authorization, "Bearer spare");
    assert.equal(credentials.failure, undefined);
  });
}
