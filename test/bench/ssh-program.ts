/** OpenSSH's client: the machine's, or that of Debian's package, which is fetched once and not installed. */
import { join } from "node:path";
import { cachedFolder } from "../cluster/build-cache.ts";
import { unpackPackages } from "../cluster/debian-packages.ts";
import { findExecutable } from "../cluster/packages.ts";

/** Its path. Throws when there is none to be had. */
export async function sshProgram(log: (line: string) => void, signal: AbortSignal): Promise<string> {
  const here = await findExecutable("ssh");
  if (here !== undefined) return here;
  const folder = await cachedFolder("openssh-client", async (fresh) => {
    log("Fetching Debian's ssh for the bench");
    await unpackPackages(["openssh-client"], fresh, signal);
  });
  return join(folder, "usr/bin/ssh");
}
