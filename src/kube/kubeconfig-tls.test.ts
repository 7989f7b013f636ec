import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { readTls } from "./kubeconfig-tls.ts";

const [one, other] = await Promise.all([makeCertificate(), makeCertificate()]);

/** Reads with these fields of the cluster and the user; files stand in /etc. */
function read(fields: { cluster?: object; user?: object; files?: Readonly<Record<string, string>> }) {
  const readFile = async (path: string) => Buffer.from(fields.files?.[path] ?? "");
  return readTls(
    { readFile },
    {
      clusterName: "c",
      cluster: { value: fields.cluster ?? {}, folder: "/etc" },
      userName: "joe",
      user: { value: fields.user ?? {}, folder: "/etc" },
    },
  );
}

const authority = one.cert.toString();
const truncated = authority.slice(0, 200);

for (const [title, text] of [
  ["no PEM", "not a certificate"],
  ["empty", ""],
  ["truncated", truncated],
  ["cut in its middle", `${truncated}\n-----END CERTIFICATE-----\n`],
  ["a key", one.key.toString()],
] as const) {
  test(`readTls() throws usage for a certificate-authority that is ${title}, in a file or the kubeconfig itself`, async () => {
    await assert.rejects(read({ cluster: { "certificate-authority": "ca.crt" }, files: { "/etc/ca.crt": text } }), {
      code: "usage",
      message:
        'Cannot use the cluster "c": its certificate-authority "/etc/ca.crt" holds no certificate in PEM that can be read',
    });
    if (text === "") return;
    await assert.rejects(read({ cluster: { "certificate-authority-data": Buffer.from(text).toString("base64") } }), {
      code: "usage",
      message:
        'Cannot use the cluster "c": its certificate-authority-data holds no certificate in PEM that can be read',
    });
  });
}

test("readTls() takes the certificates among other blocks and words as they stand", async () => {
  const text = `# ours\n${authority}${one.key}\nand\n${other.cert}`;
  const files = { "/etc/ca.crt": text };
  const { ca } = await read({ cluster: { "certificate-authority": "ca.crt" }, files });
  assert.equal(ca?.toString(), text);
});

test("readTls() leaves out a certificate that cannot be read, and keeps those behind it", async () => {
  const files = { "/etc/ca.crt": `${truncated}\n-----END CERTIFICATE-----\n${other.cert}` };
  const { ca } = await read({ cluster: { "certificate-authority": "ca.crt" }, files });
  assert.equal(ca?.toString(), other.cert.toString());
});

for (const [title, cert, key, sentence] of [
  [
    "a certificate that is none",
    "CERT",
    one.key,
    /^Cannot use the user "joe": its client-certificate-data holds no cert/,
  ],
  ["a key that is none", one.cert, "KEY", /"joe": its client-key-data holds no private key .* without a password$/],
  ["another's key", one.cert, other.key, /"joe": its client-key-data is not the key of its client-certificate-data$/],
] as const) {
  test(`readTls() throws usage for ${title}`, async () => {
    const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");
    const user = { "client-certificate-data": base64(cert), "client-key-data": base64(key) };
    await assert.rejects(read({ user }), { code: "usage", message: sentence });
  });
}
