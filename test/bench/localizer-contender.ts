/** localizer, compiled, as root, for one namespace, with a hosts file, a socket and addresses of its own. */
import { applicationPorts, type Contender, type RunningContender } from "./contender.ts";
import type { Lab } from "./lab.ts";
import { type LocalizerPlace, openPlace } from "./localizer-place.ts";
import { startTool } from "./tool-process.ts";

const startTimeoutMs = 300_000;

/** Serves the lab's namespace. Ready when it has printed its summary: everything has a name and a listener. */
export function localizerContender(lab: Lab): Contender {
  return {
    name: "localizer",
    async start(signal) {
      await using all = new AsyncDisposableStack();
      const place = all.use(await openPlace());
      const running = all.use(await startLocalizer(lab, place, signal));
      const works = all.move();
      return { ...running, [Symbol.asyncDispose]: () => works.disposeAsync() };
    },
  };
}

/** As the contender's start, in a place that is there already and stays, with more of an environment if need be. */
export async function startLocalizer(
  lab: Lab,
  place: LocalizerPlace,
  signal: AbortSignal,
  more: NodeJS.ProcessEnv = {},
): Promise<RunningContender> {
  const { PATH, HOME } = process.env;
  const { node, program } = lab.localizer;
  const flags = { kubeconfig: lab.cluster.kubeconfig, namespace: lab.namespace, ...place.flags };
  await using all = new AsyncDisposableStack();
  const tool = all.use(
    await startTool([node, program, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])], {
      // Nothing of the caller's: with SUDO_UID it would work for another user, with KUBECONFIG for another cluster.
      env: { PATH, HOME, ...place.env, ...more },
      readLine: (line) => (/^\d+ services of /.test(line) ? [line] : undefined),
      lines: 1,
      timeoutMs: startTimeoutMs,
      signal,
    }),
  );
  const [[summary = ""] = []] = tool.facts;
  // Another localizer on this machine may serve the same cluster, and so have our addresses.
  if (/could not be opened|without a tunnel/.test(summary)) {
    throw new Error(`localizer does not serve all: ${summary}`);
  }
  const names = await place.names();
  const works = all.move();
  return {
    process: tool,
    address(port, service = "app") {
      const host = names.get(`${service}.${lab.namespace}`);
      if (host === undefined) throw new Error(`"${service}.${lab.namespace}" is not in localizer's hosts file`);
      return { host, port: applicationPorts[port] };
    },
    applicationBytesRead: lab.applicationBytesRead,
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}
