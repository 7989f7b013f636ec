/**
 * The note that a start leaves when it is through: which runtime, and from what. Without it, or
 * when it says something else than would be started now, a cluster is not used again. An image
 * that no component needs can be put into a cluster that is up, so it is noted apart.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { componentCommand, componentNames } from "./components.ts";
import { cniConfig, containerdConfig, kubeletConfig } from "./config-files.ts";
import type { Executables, RuntimeName } from "./executables.ts";
import type { ClusterLayout } from "./layout.ts";

/** What was started. */
export interface ClusterRecord {
  readonly runtime: RuntimeName;
  /** Hash of every command line, configuration and executable. */
  readonly fingerprint: string;
  /** Folder of the files of which the image of sshd was made; undefined when the cluster holds none. */
  readonly sshd: string | undefined;
}

/** What these executables would start in this place. */
export function clusterRecord(layout: ClusterLayout, executables: Executables): ClusterRecord {
  const parts = [
    ...componentNames.map((name) => componentCommand(name, layout, executables)),
    [kubeletConfig(layout), containerdConfig(layout), cniConfig(layout), executables.testApp],
  ];
  const fingerprint = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return { runtime: executables.runtime, fingerprint, sshd: executables.sshd };
}

/** Notes that a cluster is up. */
export async function writeRecord(layout: ClusterLayout, record: ClusterRecord): Promise<void> {
  await writeFile(recordFile(layout), JSON.stringify(record));
}

/** The note in this place, if a start got through and nobody has stopped the cluster since. */
export async function readRecord(layout: ClusterLayout): Promise<ClusterRecord | undefined> {
  const text = await readFile(recordFile(layout), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("runtime" in value) || !("fingerprint" in value))
    return undefined;
  const { runtime, fingerprint } = value;
  if ((runtime !== "current" && runtime !== "debian") || typeof fingerprint !== "string") return undefined;
  const sshd: unknown = "sshd" in value ? value.sshd : undefined;
  return { runtime, fingerprint, sshd: typeof sshd === "string" ? sshd : undefined };
}

function recordFile(layout: ClusterLayout): string {
  return join(layout.stateDir, "cluster.json");
}
