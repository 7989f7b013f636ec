import assert from "node:assert/strict";
import { test } from "node:test";
import ssh2 from "ssh2";
import { makeKeyPair } from "./key-pair.ts";

test("makeKeyPair() makes keys that ssh2 reads, and whose halves belong together", () => {
  for (let round = 0; round < 100; round++) {
    const pair = makeKeyPair();
    const [secret, open] = [ssh2.utils.parseKey(pair.privateKey), ssh2.utils.parseKey(pair.publicKey)];
    assert(!(secret instanceof Error) && !(open instanceof Error));
    assert(secret.isPrivateKey());
    assert.equal(secret.type, "ssh-ed25519");
    assert.deepEqual(secret.getPublicSSH(), open.getPublicSSH());
    assert.equal(open.verify(Buffer.from("text"), secret.sign(Buffer.from("text"))), true);
  }
});

test("makeKeyPair() makes another pair each time, a public key of one line without a comment", () => {
  const [one, other] = [makeKeyPair(), makeKeyPair()];
  assert.notEqual(one.publicKey, other.publicKey);
  assert.notEqual(one.privateKey, other.privateKey);
  assert.match(one.publicKey, /^ssh-ed25519 [A-Za-z0-9+/]{68}$/);
});
