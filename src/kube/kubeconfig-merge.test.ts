import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { LocalizerError } from "../errors.ts";
import { type KubeconfigFile, parseKubeconfig } from "./kubeconfig-file.ts";
import { kubeconfigPaths, mergeKubeconfigs, readKubeconfig } from "./kubeconfig-merge.ts";

const home = "/home/me";

function source(files: Readonly<Record<string, string>>, list: readonly string[] = Object.keys(files)) {
  const readFile = async (path: string) => {
    const code = path.startsWith("/closed") ? "EACCES" : path.endsWith("/") ? "EISDIR" : "ENOENT";
    const text = files[path];
    if (text === undefined || code === "EACCES") throw Object.assign(new Error(code), { code });
    return Buffer.from(text);
  };
  return { env: { KUBECONFIG: list.join(delimiter) }, home, readFile };
}

function fails(code: string, sentence: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LocalizerError);
    assert.equal(error.code, code);
    assert.match(error.message, sentence);
    return true;
  };
}

test("kubeconfigPaths() takes --kubeconfig, else KUBECONFIG, else the home folder", () => {
  const env = { KUBECONFIG: ["/a", "", "b", "/a"].join(delimiter) };
  assert.deepEqual(kubeconfigPaths({ path: "c", env, home }), [join(process.cwd(), "c")]);
  assert.deepEqual(kubeconfigPaths({ path: "", env, home }), ["/a", join(process.cwd(), "b")]);
  assert.deepEqual(kubeconfigPaths({ env: {}, home }), ["/home/me/.kube/config"]);
  assert.deepEqual(kubeconfigPaths({ env: { KUBECONFIG: "" }, home }), ["/home/me/.kube/config"]);
  assert.deepEqual(kubeconfigPaths({ env: { KUBECONFIG: delimiter }, home }), []);
});

test("readKubeconfig() takes each entry whole from the first file that has it, with that file's folder", async () => {
  const merged = await readKubeconfig(
    source({
      "/one/config": "users: [{name: u, user: {token: one}}]",
      "/two/config": "current-context: ''\nusers: [{name: u, user: {token: two, as: x}}, {name: v, user: {token: v}}]",
      "/three/config": "current-context: c\nclusters: [{name: k, cluster: {server: s}}]",
    }),
  );
  assert.equal(merged?.place, '"/one/config", "/two/config", "/three/config"');
  assert.equal(merged.currentContext, "c");
  assert.deepEqual(merged.users.get("u"), { value: { token: "one" }, folder: "/one" });
  assert.deepEqual(merged.users.get("v"), { value: { token: "v" }, folder: "/two" });
  assert.deepEqual(merged.clusters.get("k"), { value: { server: "s" }, folder: "/three" });
});

test("readKubeconfig() passes over missing files, and says undefined when all are missing or empty", async () => {
  const one = await readKubeconfig(source({ "/b": "current-context: x" }, ["/a", "/b", "/c"]));
  assert.equal(one?.currentContext, "x");
  assert.equal(one.place, '"/b"');
  assert.equal(await readKubeconfig(source({}, ["/a", "/b"])), undefined);
  assert.equal(await readKubeconfig(source({ "/b": "", "/c": "users: []" }, ["/a", "/b", "/c"])), undefined);
  assert.equal(await readKubeconfig({ ...source({}), env: {} }), undefined);
});

test("readKubeconfig() insists on the file of --kubeconfig, and ignores the others", async () => {
  const all = source({ "/a": "current-context: a", "/b": "current-context: b" });
  assert.equal((await readKubeconfig({ ...all, path: "/b" }))?.currentContext, "b");
  await assert.rejects(readKubeconfig({ ...all, path: "/c" }), fails("not-found", /"\/c": there is no such file/));
});

test("readKubeconfig() fails for a file of the list that cannot be read or is wrong, though others are right", async () => {
  const right = "current-context: a";
  await assert.rejects(readKubeconfig(source({ "/a": right }, ["/a", "/closed"])), fails("denied", /"\/closed"/));
  await assert.rejects(readKubeconfig(source({ "/a": right, "/b": "- 1" })), fails("usage", /"\/b": it is not a map/));
});

test("mergeKubeconfigs() of a list is the merge of its parts: order counts, grouping does not", () => {
  const name = fc.constantFrom("a", "b", "c");
  const list = (member: string) =>
    fc.uniqueArray(name).chain((names) => fc.tuple(...names.map((n) => entry(n, member))));
  const entry = (n: string, member: string) => fc.nat(9).map((v) => ({ name: n, [member]: { v } }));
  const file = fc
    .record({ "current-context": fc.oneof(name, fc.constant("")), contexts: list("context"), users: list("user") })
    .map((value) => parseKubeconfig("/f", JSON.stringify(value)));
  const plain = (merged: KubeconfigFile) => [merged.currentContext, new Map(merged.contexts), new Map(merged.users)];
  fc.assert(
    fc.property(fc.array(file, { minLength: 1 }), fc.nat(5), (files, cut) => {
      const whole = mergeKubeconfigs(files);
      const parts = [files.slice(0, cut), files.slice(cut)].map(mergeKubeconfigs);
      assert.deepEqual(plain(mergeKubeconfigs(parts)), plain(whole));
      for (const [key, value] of whole.users) {
        assert.equal(value, files.find(({ users }) => users.has(key))?.users.get(key));
      }
    }),
  );
});
