/** A second address of the test cluster's API server, whose packets can be dropped: whoever uses it is in a hole, and nobody else. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../cluster/run-command.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The way to the API server. Disposing removes the address. */
export interface SilenceableRoute extends AsyncDisposable {
  /** The administrator's, by this way. */
  readonly kubeconfig: string;
  /** From now on no packet gets through, and none is refused; disposing lets them through again. */
  silence(): Promise<AsyncDisposable>;
}

/** Makes it. Needs root. One at a time. */
export async function silenceableRoute({ layout, kubeconfig }: Cluster): Promise<SilenceableRoute> {
  await using stack = new AsyncDisposableStack();
  const { netns, netnsPath, nodeInterface, nodeAddress, hostAddress, slot } = layout;
  const address = `198.18.1.${slot + 1}`;
  const inside = (...words: readonly string[]) => runCommand("nsenter", [`--net=${netnsPath}`, "--", ...words]);
  // Of an earlier run that was killed.
  await runCommand("ip", ["-n", netns, "addr", "del", `${address}/32`, "dev", nodeInterface]).catch(() => {});
  await runCommand("ip", ["-n", netns, "addr", "add", `${address}/32`, "dev", nodeInterface]);
  stack.defer(async () => {
    await runCommand("ip", ["-n", netns, "addr", "del", `${address}/32`, "dev", nodeInterface]);
  });
  await runCommand("ip", ["route", "replace", `${address}/32`, "via", nodeAddress, "src", hostAddress]);
  stack.defer(async () => void (await runCommand("ip", ["route", "del", `${address}/32`])));
  const folder = stack.use(temporaryFolder());
  const config: unknown = JSON.parse(readFileSync(kubeconfig, "utf8"));
  const clusters: unknown = Reflect.get(Object(config), "clusters");
  for (const entry of Array.isArray(clusters) ? clusters : []) {
    const cluster = Object(Reflect.get(Object(entry), "cluster"));
    Reflect.set(cluster, "server", `https://${address}:6443`);
    // The certificate names the other address.
    Reflect.set(cluster, "tls-server-name", nodeAddress);
  }
  const path = join(folder.path, "kubeconfig");
  writeFileSync(path, JSON.stringify(config));
  const works = stack.move();
  return {
    kubeconfig: path,
    async silence() {
      const rules = [
        ["INPUT", "-d", address, "-j", "DROP"],
        ["OUTPUT", "-s", address, "-j", "DROP"],
      ];
      for (const rule of rules) await inside("iptables", "-w", "-I", ...rule);
      let isOver = false;
      const end = async () => {
        if (isOver) return;
        isOver = true;
        for (const rule of rules) await inside("iptables", "-w", "-D", ...rule);
      };
      works.defer(end);
      return { [Symbol.asyncDispose]: end };
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}
