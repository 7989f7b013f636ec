import assert from "node:assert/strict";
import { test } from "node:test";
import { type FileFacts, type PathReader, resolveDirectory, resolvePath } from "./trusted-path.ts";

const root = { "/": dir(0o755), "/etc": dir(0o755), "/etc/hosts": file() };

test("resolvePath() follows links, also relative ones and ..", async () => {
  const reader = tree({ ...root, "/link": link("etc/../etc/hosts") });
  assert.equal(await resolvePath("/link", reader, true), "/etc/hosts");
  assert.equal(await resolvePath("//etc/./hosts", reader, true), "/etc/hosts");
});

for (const [why, files] of [
  ["a folder that is not root's", { ...root, "/etc": dir(0o755, 1000) }],
  ["a folder that the group can write", { ...root, "/etc": dir(0o775) }],
  ["a sticky folder that holds the file", { ...root, "/etc": dir(0o1777) }],
  [
    "a link that is not root's",
    { ...root, "/etc/hosts": link("/real/hosts", 1000), "/real": dir(0o755), "/real/hosts": file() },
  ],
  [
    "a link by way of somebody's folder",
    {
      ...root,
      "/etc/hosts": link("/home/hosts"),
      "/home": dir(0o755, 1000),
      "/home/hosts": link("/real/hosts"),
      "/real": dir(0o755),
      "/real/hosts": file(),
    },
  ],
] as const) {
  test(`resolvePath() refuses ${why}, as root`, async () => {
    await assert.rejects(resolvePath("/etc/hosts", tree(files), true), { code: "denied" });
    assert.match(await resolvePath("/etc/hosts", tree(files), false), /hosts$/);
  });
}

test("resolvePath() passes through a sticky folder", async () => {
  const reader = tree({
    "/": dir(0o755),
    "/shared": dir(0o1777),
    "/shared/mine": dir(0o700),
    "/shared/mine/hosts": file(),
  });
  assert.equal(await resolvePath("/shared/mine/hosts", reader, true), "/shared/mine/hosts");
});

test("resolvePath() refuses a loop of links", async () => {
  const reader = tree({ "/": dir(0o755), "/a": link("/b"), "/b": link("/a") });
  await assert.rejects(resolvePath("/a", reader, true), { code: "usage" });
});

test("resolvePath() refuses a relative path", async () => {
  await assert.rejects(resolvePath("etc/hosts", tree(root), false), { code: "usage" });
});

test("resolveDirectory() refuses a folder that others can write, and what is no folder", async () => {
  const reader = tree({ ...root, "/shared": dir(0o1777), "/open": dir(0o757), "/his": dir(0o755, 1000) });
  assert.equal(await resolveDirectory("/etc", reader, true), "/etc");
  for (const path of ["/shared", "/open", "/his", "/etc/hosts"]) {
    await assert.rejects(resolveDirectory(path, reader, true), { code: "denied" });
  }
});

type Tree = Readonly<Record<string, FileFacts & { readonly target?: string }>>;

function tree(files: Tree): PathReader {
  return {
    lstat: async (path) => files[path] ?? Promise.reject(Object.assign(new Error(path), { code: "ENOENT" })),
    readlink: async (path) => files[path]?.target ?? "",
  };
}

function dir(mode: number, uid = 0): FileFacts {
  return facts("directory", mode, uid);
}

function file(): FileFacts {
  return facts("file", 0o644, 0);
}

function link(target: string, uid = 0): FileFacts & { target: string } {
  return { ...facts("link", 0o777, uid), target };
}

function facts(kind: FileFacts["kind"], mode: number, uid: number): FileFacts {
  return { kind, mode, uid, gid: 0, dev: 1n, ino: 1n, size: 1n, mtimeNs: 1n, nlink: 1 };
}
