/**
 * A user of the test's own with a second group and, if asked, a sudoers file that is his; user, groups, home and
 * sudoers file are gone when the test is over, also after a failure. The program sudo stays where it had to be
 * installed: it is a package of the machine, like containerd, that others may have come to use. Root only.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPrograms } from "./debian-package.ts";

/** The user. */
export interface ThrowawayUser extends Disposable {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The group that he is in beside his own. */
  readonly extraGid: number;
  readonly home: string;
}

const prefix = "lztest";

/** Makes user, group and home below `folder`, which he must be able to enter. */
export function throwawayUser(folder: string, options: { sudoers?: readonly string[] } = {}): ThrowawayUser {
  const name = `${prefix}${process.pid}`;
  const group = `${name}x`;
  const home = join(folder, "home");
  const sudoers = join("/etc/sudoers.d", name);
  removeDeadUsers();
  process.once("exit", () => removeUser(name));
  try {
    execFileSync("groupadd", [group]);
    execFileSync("useradd", ["--no-create-home", "--home-dir", home, "--user-group", "--groups", group, name]);
    const id = (flag: string, who: string) => Number(execFileSync("id", [flag, who], { encoding: "utf8" }));
    const uid = id("-u", name);
    const gid = id("-g", name);
    mkdirSync(home);
    execFileSync("chown", [`${uid}:${gid}`, home]);
    if (options.sudoers !== undefined) {
      installPrograms("sudo");
      writeFileSync(sudoers, options.sudoers.map((line) => `${line.replaceAll("USER", name)}\n`).join(""), {
        mode: 0o440,
      });
      execFileSync("visudo", ["-cqf", sudoers]);
    }
    const extraGid = Number(execFileSync("getent", ["group", group], { encoding: "utf8" }).split(":")[2]);
    return {
      name,
      uid,
      gid,
      extraGid,
      home,
      [Symbol.dispose]() {
        removeUser(name);
      },
    };
  } catch (error) {
    removeUser(name);
    throw new Error(`Cannot make user "${name}"`, { cause: error });
  }
}

/** Those of tests that were killed; the number in the name is the test's pid. */
function removeDeadUsers(): void {
  for (const [, name = "", pid] of readFileSync("/etc/passwd", "utf8").matchAll(/^(lztest(\d+)):/gm)) {
    if (!existsSync(`/proc/${pid}`)) removeUser(name);
  }
}

function removeUser(name: string): void {
  rmSync(join("/etc/sudoers.d", name), { force: true });
  const uid = new RegExp(`^${name}:[^:]*:(\\d+):`, "m").exec(readFileSync("/etc/passwd", "utf8"))?.[1];
  if (uid === undefined) return;
  rmSync(`/run/localizer-${uid}`, { recursive: true, force: true });
  execFileSync("userdel", [name], { stdio: "ignore" });
  execFileSync("groupdel", [`${name}x`], { stdio: "ignore" });
}
