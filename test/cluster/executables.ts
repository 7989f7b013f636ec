/**
 * The programs the cluster runs: built from Go modules, or Debian's. Knows what is built from
 * what; `go-build.ts` knows how.
 */
import { dirname, join } from "node:path";
import { goBuild } from "./go-build.ts";
import { findExecutable, installPackages } from "./packages.ts";
import { sshdFiles } from "./sshd-files.ts";

/** Debian's old containerd, or a current one built from Go modules. They differ in what they do wrong. */
export type RuntimeName = "current" | "debian";

/** Absolute paths. */
export interface Executables {
  readonly runtime: RuntimeName;
  /** The Kubernetes components and etcd, by first argument. */
  readonly kubebox: string;
  /** Holds containerd, its shim and ctr: goes first on PATH. */
  readonly runtimeDir: string;
  readonly testApp: string;
  /** Folder with the files of the image that runs sshd. */
  readonly sshd: string;
}

const kubernetes = { version: "v1.34.4", major: "1", minor: "34" } as const;

/** Installs and builds whatever is missing. Quick when everything is there. */
export async function prepareExecutables(
  runtime: RuntimeName,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<Executables> {
  await installPackages(log, signal);
  const version = "k8s.io/component-base/version";
  const stamp = [
    `-X ${version}.gitVersion=${kubernetes.version}`,
    `-X ${version}.gitMajor=${kubernetes.major}`,
    `-X ${version}.gitMinor=${kubernetes.minor}`,
  ];
  const kubebox = await goBuild(
    {
      name: "kubebox",
      sourceDir: join(import.meta.dirname, "kubebox"),
      packages: ["."],
      flags: ["-ldflags", `-s -w ${stamp.join(" ")}`],
    },
    log,
    signal,
  );
  const testApp = await goBuild(
    { name: "testapp", sourceDir: join(import.meta.dirname, "app"), packages: ["."], flags: ["-ldflags", "-s -w"] },
    log,
    signal,
  );
  return {
    runtime,
    kubebox: join(kubebox, "kubebox"),
    runtimeDir: runtime === "current" ? await buildContainerd(log, signal) : await debianRuntimeDir(),
    testApp: join(testApp, "testapp"),
    sshd: await sshdFiles(log, signal),
  };
}

function buildContainerd(log: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const command = "github.com/containerd/containerd/v2/cmd";
  return goBuild(
    {
      name: "containerd",
      sourceDir: join(import.meta.dirname, "containerd"),
      packages: [`${command}/containerd`, `${command}/containerd-shim-runc-v2`, `${command}/ctr`],
      flags: ["-tags", "no_btrfs no_zfs no_devmapper", "-ldflags", "-s -w"],
    },
    log,
    signal,
  );
}

async function debianRuntimeDir(): Promise<string> {
  const containerd = await findExecutable("containerd");
  if (containerd === undefined) throw new Error("Cannot find containerd on PATH");
  return dirname(containerd);
}
