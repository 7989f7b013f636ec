/** Has etcd forget what is old, as the API server asks of it every five minutes: a cluster that has just started has forgotten nothing. */
import { etcdClientUrl } from "./components.ts";
import type { ClusterLayout } from "./layout.ts";
import { runCommand } from "./run-command.ts";

const timeoutMs = 10_000;

/** Asks by etcd's JSON gateway (`/v3/kv/compaction`); 400 says that so much is forgotten already. Run in the cluster's own network. */
const script = `
const [url, revision] = process.argv.slice(1);
const body = JSON.stringify({ revision });
const answer = await fetch(url + "/v3/kv/compaction", { method: "POST", body, signal: AbortSignal.timeout(${timeoutMs}) });
const text = await answer.text();
if (!answer.ok && !text.includes("has been compacted")) throw new Error(answer.status + " " + text);
`;

/** Forgets all versions before this one. Throws CommandError when etcd does not do it. */
export async function compactEtcd({ netnsPath }: Pick<ClusterLayout, "netnsPath">, revision: number): Promise<void> {
  const ask = [process.execPath, "--input-type=module", "-e", script, etcdClientUrl, String(revision)];
  await runCommand("nsenter", [`--net=${netnsPath}`, "--", ...ask], { timeoutMs: 2 * timeoutMs });
}
