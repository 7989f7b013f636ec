import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Image, imageArchive } from "./image-archive.ts";
import { type TarEntry, tarArchive } from "./tar.ts";

const image: Image = {
  name: "localhost/try:1",
  files: [
    { type: "file", path: "usr/sbin/tool", mode: 0o755, content: "tool" },
    { type: "symlink", path: "tool", target: "usr/sbin/tool" },
  ],
  entrypoint: ["/usr/sbin/tool"],
  command: ["serve"],
  environment: { NAME: "try" },
};

/** Unpacks with the system's tar, which is the judge of the format. */
function unpack(archive: Buffer, check: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "localizer-tar-"));
  try {
    writeFileSync(join(directory, "archive"), archive);
    execFileSync("tar", ["-xpf", "archive", "--no-same-owner"], { cwd: directory });
    check(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test("tarArchive() is read by tar with content, mode and links", () => {
  const content = Buffer.alloc(513, "x");
  const entries: TarEntry[] = [
    { type: "directory", path: "etc", mode: 0o700 },
    { type: "file", path: "etc/ä", content, mode: 0o640 },
    { type: "file", path: "etc/empty", content: "" },
    { type: "symlink", path: "link", target: "etc/empty" },
  ];
  unpack(tarArchive(entries), (directory) => {
    assert.deepEqual(readFileSync(join(directory, "etc/ä")), content);
    assert.equal(statSync(join(directory, "etc/ä")).mode & 0o777, 0o640);
    assert.equal(statSync(join(directory, "etc")).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, "etc/empty")).size, 0);
    assert.equal(readlinkSync(join(directory, "link")), "etc/empty");
  });
});

test("tarArchive() cuts a long path at a slash", () => {
  const path = `${"d".repeat(90)}/${"e".repeat(60)}/${"f".repeat(90)}`;
  const parents: TarEntry[] = [
    { type: "directory", path: "d".repeat(90) },
    { type: "directory", path: `${"d".repeat(90)}/${"e".repeat(60)}` },
  ];
  unpack(tarArchive([...parents, { type: "file", path, content: "deep" }]), (directory) => {
    assert.equal(readFileSync(join(directory, path), "utf8"), "deep");
  });
});

test("tarArchive() refuses a path that does not fit", () => {
  assert.throws(() => tarArchive([{ type: "file", path: "x".repeat(101), content: "" }]), RangeError);
  assert.throws(() => tarArchive([{ type: "symlink", path: "x", target: "y".repeat(101) }]), RangeError);
});

test("imageArchive() names config and layer by their digests", () => {
  unpack(imageArchive(image), (directory) => {
    const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    assert.deepEqual(manifest[0].RepoTags, ["localhost/try:1"]);
    const config = readFileSync(join(directory, manifest[0].Config), "utf8");
    assert.equal(manifest[0].Config, `${sha256(config)}.json`);
    const parsed = JSON.parse(config);
    assert.deepEqual(parsed.rootfs.diff_ids, [`sha256:${sha256(readFileSync(join(directory, "layer.tar")))}`]);
    assert.deepEqual(parsed.config.Entrypoint, ["/usr/sbin/tool"]);
    assert.deepEqual(parsed.config.Env, ["NAME=try"]);
  });
});

test("imageArchive() adds missing parent directories once", () => {
  unpack(imageArchive(image), (directory) => {
    const listed = execFileSync("tar", ["-tf", "layer.tar"], { cwd: directory, encoding: "utf8" });
    assert.deepEqual(listed.trim().split("\n"), ["usr/", "usr/sbin/", "usr/sbin/tool", "tool"]);
  });
});

test("imageArchive() makes the same bytes from the same image", () => {
  assert.ok(imageArchive(image).equals(imageArchive(image)));
});

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
