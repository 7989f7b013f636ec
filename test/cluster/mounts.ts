/**
 * The machine's mounts, read from the kernel.
 */
import { readFileSync } from "node:fs";
import { runCommand } from "./run-command.ts";

/** One line of /proc/self/mountinfo. */
export interface Mount {
  readonly path: string;
  /** File system type: "nsfs", "overlay", "cgroup2". */
  readonly type: string;
}

/** Everything that is mounted now, in the order it was mounted. */
export function mounts(): Mount[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const escaped = before.split(" ")[4] ?? "";
      const path = escaped.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
      return { path, type: after.split(" ")[0] ?? "" };
    });
}

/** Mounts below a directory (not the directory itself, should it be one). */
export function mountsUnder(directory: string): Mount[] {
  return mounts().filter((mount) => mount.path.startsWith(`${directory}/`));
}

/** Unmounts everything below a directory, the deepest first, and throws when something stays. */
export async function unmountUnder(directory: string): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const paths = mountsUnder(directory).map((mount) => mount.path);
    if (paths.length === 0) return;
    // Lazily: a dead process's working directory must not keep it busy. Failures show in the next round.
    await runCommand("umount", ["-l", ...paths.reverse()]).catch(() => {});
  }
  const left = mountsUnder(directory).map((mount) => mount.path);
  if (left.length > 0) throw new Error(`Cannot unmount ${left.join(", ")}`);
}
