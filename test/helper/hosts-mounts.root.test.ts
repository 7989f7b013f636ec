// The real /etc/hosts, in private mount namespaces: replaced where it can be, written in place where it is a mount point.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../support/temporary-folder.ts";

const skip = process.platform === "linux" && process.geteuid?.() === 0 ? false : "needs Linux and root";
const program = join(import.meta.dirname, "write-hosts.ts");

test("HostsFile.update() replaces /etc/hosts", { skip }, () => {
  const outcome = writeIn('cp -a /etc "$1/etc" && mount --bind "$1/etc" /etc');
  assert.deepEqual(outcome, { isWritten: true, isNewFile: true, isBack: true, leftovers: [] });
});

test("HostsFile.update() writes an /etc/hosts in place that is a mount, as in a container", { skip }, () => {
  const outcome = writeIn('cp /etc/hosts "$1/hosts" && mount --bind "$1/hosts" /etc/hosts');
  assert.deepEqual(outcome, { isWritten: true, isNewFile: false, isBack: true, leftovers: [] });
});

test("HostsFile.update() writes in place when /etc is read-only and the file is not", { skip }, () => {
  const outcome = writeIn(
    'cp /etc/hosts "$1/hosts" && mount --bind /etc /etc && mount -o remount,bind,ro /etc && mount --bind "$1/hosts" /etc/hosts',
  );
  assert.deepEqual(outcome, { isWritten: true, isNewFile: false, isBack: true, leftovers: [] });
});

test("HostsFile.update() says that a read-only file is one", { skip }, () => {
  const readOnly = "mount --bind /etc /etc && mount -o remount,bind,ro /etc";
  assert.throws(() => writeIn(readOnly), /Cannot write hosts file "\/etc\/hosts": it is on a read-only file system/);
});

/** Runs the writer after the mounts, `$1` being a folder; the machine's own file must not change. */
function writeIn(mounts: string): unknown {
  using folder = temporaryFolder();
  const before = readFileSync("/etc/hosts");
  const script = `${mounts} && exec "$2" "$3"`;
  const args = [
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    script,
    "sh",
    folder.path,
    process.execPath,
    program,
  ];
  try {
    return JSON.parse(execFileSync("unshare", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }));
  } finally {
    assert.deepEqual(readFileSync("/etc/hosts"), before);
  }
}
