/** Who leads a pod's ports to the application on this machine: localizer, and what people have without it. */

import { readyPods } from "../cluster/objects.ts";
import { runCommand } from "../cluster/run-command.ts";
import { sshdImage } from "../cluster/test-images.ts";
import type { Address, LocalPortName } from "./contender.ts";
import { applicationPorts } from "./contender.ts";
import { exposeByHand } from "./expose-by-hand.ts";
import type { Lab } from "./lab.ts";
import { startLocalizer } from "./localizer-contender.ts";
import { openPlace } from "./localizer-place.ts";
import { portOf, startLocalApplication } from "./relay-contender.ts";
import type { Startable } from "./turns.ts";

/** The ports that are led here. */
export const exposedPorts = ["echo", "sink", "source"] as const satisfies readonly LocalPortName[];

/** The way is open. Disposing closes it. */
export interface RunningExposure extends AsyncDisposable {
  /** In the cluster's network: the pod's own, without a Service in between. */
  address(port: (typeof exposedPorts)[number]): Address;
  /** Of the tool on this machine. */
  readonly pids: readonly number[];
  /** Of the application on this machine. */
  readonly applicationPid: number;
}

/** A daemon, and how it is told. */
export interface ExposingDaemon extends AsyncDisposable {
  readonly pids: readonly number[];
  /** `localizer expose NAMESPACE/app …`; resolves when it returns. Throws what it says when it fails. */
  expose(maps: readonly string[]): Promise<void>;
  /** With `--stop`. */
  stop(more?: readonly string[]): Promise<void>;
}

/** A daemon of the lab's namespace. Disposing ends it, and with it what it exposes. */
export async function startExposingDaemon(lab: Lab, signal: AbortSignal): Promise<ExposingDaemon> {
  await using all = new AsyncDisposableStack();
  const place = all.use(await openPlace());
  const running = all.use(await startLocalizer(lab, place, signal));
  const { node, program } = lab.localizer;
  const { PATH, HOME } = process.env;
  const expose = async (words: readonly string[], until: AbortSignal | undefined) => {
    const command = [program, `--socket=${place.flags.socket}`, "expose", `${lab.namespace}/app`, ...words];
    await runCommand(node, command, { env: { PATH, HOME, ...place.env }, signal: until });
  };
  const works = all.move();
  return {
    get pids() {
      return running.process.pids;
    },
    expose: (maps) => expose([`--image=${sshdImage}`, ...maps.map((map) => `--map=${map}`)], signal),
    // No signal: this has to be done after Ctrl-C as well.
    stop: (more = []) => expose(["--stop", ...more], undefined),
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

/** The lab's Service "app" is exposed. */
export function localizerExposure(lab: Lab): Startable<RunningExposure> {
  return {
    name: "localizer",
    async start(signal) {
      await using all = new AsyncDisposableStack();
      const application = all.use(await startLocalApplication(signal));
      const daemon = all.use(await startExposingDaemon(lab, signal));
      await daemon.expose(exposedPorts.map((name) => `${portOf(application, name)}:${name}`));
      all.defer(() => daemon.stop());
      const [pod] = await readyPods(lab.cluster.api, lab.namespace, "app=app,app.kubernetes.io/managed-by=localizer");
      if (pod === undefined) throw new Error("localizer exposes, and its pod is not ready");
      return running(all, pod.address, application.pid, () => daemon.pids);
    },
  };
}

/** `ssh -R` through `kubectl port-forward`, to the same kind of pod with the same keys and the same cipher. */
export function handMadeExposure(lab: Lab, ssh: string): Startable<RunningExposure> {
  return {
    name: "kubectl",
    async start(signal) {
      await using all = new AsyncDisposableStack();
      const application = all.use(await startLocalApplication(signal));
      const forwards = exposedPorts.map((name) => ({
        remote: applicationPorts[name],
        local: Number(portOf(application, name)),
      }));
      const byHand = all.use(await exposeByHand(lab, { ssh, forwards, signal }));
      return running(all, byHand.podAddress, application.pid, () => byHand.pids);
    },
  };
}

function running(
  all: AsyncDisposableStack,
  host: string,
  applicationPid: number,
  pids: () => readonly number[],
): RunningExposure {
  const works = all.move();
  return {
    address: (port) => ({ host, port: applicationPorts[port] }),
    get pids() {
      return pids();
    },
    applicationPid,
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}
