/**
 * Starts, kills and restarts the components of one cluster, one by one. Used by the start and by
 * tests that break something on purpose.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type ComponentName, componentCommand, componentNames } from "./components.ts";
import { type ProcessIdentity, readPidFile, signalProcess, startDetached, stopProcesses } from "./detached-process.ts";
import type { Executables } from "./executables.ts";
import type { ClusterLayout } from "./layout.ts";

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The processes of a cluster whose directories and network exist. */
export class ComponentSet {
  readonly #layout: ClusterLayout;
  readonly #executables: Executables;

  constructor(layout: ClusterLayout, executables: Executables) {
    this.#layout = layout;
    this.#executables = executables;
  }

  /** Starts a component. Resolves once the process runs, not when it is ready. */
  async start(name: ComponentName): Promise<void> {
    const { stateDir, logDir, pidDir } = this.#layout;
    for (const directory of [logDir, pidDir]) await mkdir(directory, { recursive: true });
    await startDetached(componentCommand(name, this.#layout, this.#executables), {
      logFile: this.logFile(name),
      pidFile: join(pidDir, name),
      cwd: stateDir,
      // Nothing of the caller's environment: a proxy or a KUBECONFIG would change what they do.
      // containerd takes its shim from the PATH, so its own folder comes first.
      env: { HOME: stateDir, PATH: `${this.#executables.runtimeDir}:${systemPath}` },
    });
  }

  /** The running process of a component, if any. */
  process(name: ComponentName): ProcessIdentity | undefined {
    return componentProcess(this.#layout, name);
  }

  /** Sends a signal. Throws when the component does not run. */
  kill(name: ComponentName, signal: NodeJS.Signals): void {
    const identity = this.process(name);
    if (identity === undefined || !signalProcess(identity, signal)) throw new Error(`${name} does not run`);
  }

  /** Ends a component, at once unless given time, and starts it on the same data. */
  async restart(name: ComponentName, graceMs = 0): Promise<void> {
    const identity = this.process(name);
    if (identity !== undefined) await stopProcesses([identity], graceMs);
    await this.start(name);
  }

  /** Components that do not run. */
  missing(): ComponentName[] {
    return missingComponents(this.#layout);
  }

  /** Where a component writes. */
  logFile(name: ComponentName): string {
    return join(this.#layout.logDir, `${name}.log`);
  }
}

/** The running process of a component of the cluster in this place, if any. */
export function componentProcess(layout: ClusterLayout, name: ComponentName): ProcessIdentity | undefined {
  return readPidFile(join(layout.pidDir, name));
}

/** Components that do not run in this place: all of them where there is no cluster. */
export function missingComponents(layout: ClusterLayout): ComponentName[] {
  return componentNames.filter((name) => componentProcess(layout, name) === undefined);
}
