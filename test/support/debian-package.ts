/** Programs of Debian that a suite needs. They stay, like containerd: others may have come to use them. Root only. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Installs the packages whose program of the same name the machine has not. Throws when that fails. */
export function installPrograms(...names: readonly string[]): void {
  const missing = names.filter(
    (name) => !["/usr/bin", "/usr/local/bin", "/bin"].some((dir) => existsSync(`${dir}/${name}`)),
  );
  if (missing.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", ["update", "-q"], { env, stdio: "ignore" });
  execFileSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...missing], { env, stdio: "ignore" });
}
