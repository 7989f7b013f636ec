/**
 * Programs that see a hosts file of ours as /etc/hosts: in a mount namespace of their own, so that the machine's
 * file is not touched and names are resolved by the system's resolver all the same.
 */
import { spawn } from "node:child_process";

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. `input` is closed when written. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const { env = process.env, timeoutMs = 180_000 } = options;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env, timeout: timeoutMs });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a program with `hostsFile`, as it is now, in the place of /etc/hosts. Needs root. */
export function runWithHosts(hostsFile: string, program: string, args: readonly string[]): Promise<ProgramEnd> {
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  return runProgram("unshare", ["--mount", "sh", "-c", script, hostsFile, program, ...args]);
}

/** GETs a URL by name with curl and returns the body. Throws with curl's own words when it fails. */
export async function curlByName(hostsFile: string, url: string): Promise<string> {
  const flags = ["--silent", "--show-error", "--max-time", "30", "--noproxy", "*"];
  const { code, stdout, stderr } = await runWithHosts(hostsFile, "curl", [...flags, url]);
  if (code !== 0) throw new Error(`curl ${url} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}
