/** The way from our pod to the local process: SSH over a port-forward, with a listener in the pod for each port. */
import type { Duplex } from "node:stream";
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Port } from "../model/port.ts";
import type { ConnectSsh, SshConnection, SshIdentity } from "../ssh/ssh-connection.ts";

/** What it is built from. */
export interface TunnelComponents {
  /** A byte channel to a pod's port, as portforward gives it. */
  readonly dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>;
  readonly connectSsh: ConnectSsh;
  readonly clock: Clock;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** Where to, and what is to listen there. */
export interface TunnelWish {
  /** The pod, and its sshd's port. */
  readonly endpoint: Endpoint;
  readonly identity: SshIdentity;
  readonly ports: readonly {
    readonly remote: Port;
    readonly take: (channel: Duplex) => void;
    /** As `SshConnection.forward` calls it. */
    readonly refused: (reason: string) => void;
  }[];
  /** Called with what fails and is tried again meanwhile. */
  readonly onTrouble?: (error: unknown) => void;
}

/** After a black hole the old session holds the ports for up to 12 s (verified.md 0.2). */
const portsHeldMs = 20_000;
const portsRetry: BackoffOptions = { baseMs: 100, factor: 2, capMs: 1_000 };

/**
 * One try: dials, logs in, and has all ports listen. Whatever was opened is closed when it fails.
 * @throws LocalizerError as `DialPod`, `ConnectSsh` and `SshConnection.forward`
 */
export async function openTunnel(
  { dial, connectSsh, clock, random = Math.random }: TunnelComponents,
  { endpoint, identity, ports, onTrouble = () => {} }: TunnelWish,
  signal: AbortSignal,
): Promise<SshConnection> {
  const transport = await dial(endpoint, signal);
  // Until SSH takes it over: what has no handler ends the process.
  transport.on("error", () => {});
  await using stack = new AsyncDisposableStack();
  const ssh = stack.use(await connectSsh(transport, identity, signal));
  const untilMs = clock.monotonic() + portsHeldMs;
  for (const { remote, take, refused } of ports) {
    for (let attempt = 0; ; attempt++) {
      try {
        await ssh.forward(remote, take, signal, refused);
        break;
      } catch (error) {
        if (codeOf(error) !== "conflict" || clock.monotonic() >= untilMs) throw error;
        onTrouble(error);
        await clock.sleep(backoffMs(attempt, portsRetry, random), signal);
      }
    }
  }
  stack.move();
  return ssh;
}
