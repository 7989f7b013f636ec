/**
 * Puts images into a cluster's runtime. There is no registry: what a pod names must be here.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Image, imageArchive } from "./image-archive.ts";
import type { ClusterLayout } from "./layout.ts";
import { type RunOptions, runCommand } from "./run-command.ts";

const importTimeoutMs = 60_000;

/** Packs an image and gives it to containerd; one of the same name is replaced. `runtimeDir` holds ctr. */
export async function importImage(
  layout: ClusterLayout,
  runtimeDir: string,
  image: Image,
  signal?: AbortSignal,
): Promise<void> {
  const directory = join(layout.stateDir, "images");
  await mkdir(directory, { recursive: true });
  const file = join(directory, `${encodeURIComponent(image.name)}.tar`);
  await writeFile(file, imageArchive(image));
  try {
    await ctr(layout, runtimeDir, ["-n", "k8s.io", "images", "import", file], { timeoutMs: importTimeoutMs, signal });
  } finally {
    await rm(file, { force: true });
  }
}

/** Resolves to true once containerd answers, and throws as long as it does not. */
export async function runtimeAnswers(layout: ClusterLayout, runtimeDir: string): Promise<true> {
  await ctr(layout, runtimeDir, ["version"], { timeoutMs: 5000 });
  return true;
}

function ctr(layout: ClusterLayout, runtimeDir: string, args: readonly string[], options: RunOptions): Promise<string> {
  return runCommand(join(runtimeDir, "ctr"), ["-a", layout.containerdSocket, ...args], options);
}
