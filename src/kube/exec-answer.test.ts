import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { execCredential } from "../../test/support/fake-plugin.ts";
import { LocalizerError } from "../errors.ts";
import { parseExecAnswer } from "./exec-answer.ts";

const plugin = { apiVersion: "client.authentication.k8s.io/v1", name: "login" } as const;
const v1beta1 = "client.authentication.k8s.io/v1beta1";

test("parseExecAnswer() reads a token and when it expires", () => {
  const answer = parseExecAnswer(
    plugin,
    execCredential({ token: "abc", expirationTimestamp: "2026-01-02T03:04:05+01:00" }),
  );
  assert.deepEqual(answer, { token: "abc", certificate: undefined, expiresAt: Date.UTC(2026, 0, 2, 2, 4, 5) });
  assert.equal(
    parseExecAnswer(plugin, execCredential({ token: "abc", expirationTimestamp: null })).expiresAt,
    undefined,
  );
});

test("parseExecAnswer() reads YAML, as client-go does", () => {
  const text = `kind: ExecCredential\napiVersion: ${plugin.apiVersion}\nstatus: {token: abc, expirationTimestamp: 2026-01-02T03:04:05Z}`;
  assert.deepEqual(parseExecAnswer(plugin, text).expiresAt, Date.UTC(2026, 0, 2, 3, 4, 5));
});

test("parseExecAnswer() reads a certificate with its key, and refuses another's key", async () => {
  const [mine, other] = await Promise.all([makeCertificate(), makeCertificate()]);
  const pair = { clientCertificateData: mine.cert.toString(), clientKeyData: mine.key.toString() };
  const answer = parseExecAnswer(plugin, execCredential(pair));
  assert.deepEqual(answer, { token: undefined, certificate: { cert: mine.cert, key: mine.key }, expiresAt: undefined });
  const mixed = execCredential({ ...pair, clientKeyData: other.key.toString() });
  assert.throws(() => parseExecAnswer(plugin, mixed), /a certificate and a key that do not belong together/);
});

const wrong: readonly (readonly [title: string, printed: string, sentence: RegExp])[] = [
  ["nothing", " \n", /^its plug-in "login" printed nothing$/],
  ["text", "Please log in: geheim", /printed no ExecCredential/],
  ["broken YAML", "a: [geheim", /printed no JSON/],
  ["another kind", '{"kind":"Status"}', /printed a "Status"/],
  [
    "another version",
    JSON.stringify({ kind: "ExecCredential", apiVersion: v1beta1, status: { token: "geheim" } }),
    /the apiVersion ".*v1beta1" where the kubeconfig asks for ".*v1"; update the plug-in/,
  ],
  [
    "no status",
    JSON.stringify({ kind: "ExecCredential", apiVersion: plugin.apiVersion }),
    /neither token nor certificate/,
  ],
  ["a lone key", execCredential({ clientKeyData: "geheim" }), /a key without its certificate/],
  [
    "a lone certificate",
    execCredential({ token: "geheim", clientCertificateData: "x" }),
    /a certificate without its key/,
  ],
  ["no PEM", execCredential({ clientCertificateData: "x", clientKeyData: "geheim" }), /or no PEM/],
  ["a line break", execCredential({ token: "geheim\n" }), /a token with a line break/],
  [
    "no time",
    execCredential({ token: "geheim", expirationTimestamp: "tomorrow" }),
    /an expirationTimestamp that is no time/,
  ],
  ["no date", execCredential({ token: "geheim", expirationTimestamp: "2026-99-02T03:04:05Z" }), /that is no time/],
];

for (const [title, printed, sentence] of wrong) {
  test(`parseExecAnswer() refuses ${title}, and shows nothing of it`, () => {
    assert.throws(
      () => parseExecAnswer(plugin, printed),
      (error) => {
        assert.ok(error instanceof LocalizerError);
        assert.equal(error.code, "unauthenticated");
        assert.match(error.message, sentence);
        assert.doesNotMatch(error.message, /geheim/);
        return true;
      },
    );
  });
}

test("parseExecAnswer() gives a credential or throws unauthenticated, whatever is printed", () => {
  const json = fc.record({
    kind: fc.constant("ExecCredential"),
    apiVersion: fc.constant(plugin.apiVersion),
    status: fc.anything(),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        json.map((value) => String(JSON.stringify(value))),
      ),
      (printed) => {
        try {
          assert.notEqual(parseExecAnswer(plugin, printed).token, undefined);
        } catch (error) {
          assert.equal(LocalizerError.from(error).code, "unauthenticated");
        }
      },
    ),
  );
});
