/** What each contender can do: make ports of an application answer on this machine. */
import type { ContenderName } from "./results.ts";
import type { ToolProcess } from "./tool-process.ts";

/**
 * Ports of the test application (cluster/app/servers.go): what comes in goes back, is thrown away, zeros without end go out, HTTP,
 * what comes in is never read, 160 bytes come over 3.2 s after the first one, and nobody listens.
 */
export const applicationPorts = {
  echo: 7000,
  sink: 7001,
  source: 7002,
  http: 7003,
  "never-reads": 7005,
  slow: 7007,
  refused: 7999,
} as const;

/** A port of the test application by what it does. */
export type PortName = keyof typeof applicationPorts;

/** All of them: rows that ask for these share a lab. */
export const everyPort = [
  "echo",
  "sink",
  "source",
  "http",
  "never-reads",
  "slow",
  "refused",
] as const satisfies PortName[];

/** Those that the application on loopback has too. */
export const localPortNames = [
  "echo",
  "sink",
  "source",
  "http",
  "never-reads",
  "slow",
] as const satisfies readonly PortName[];

/** One of them. */
export type LocalPortName = (typeof localPortNames)[number];

/** Where to connect on this machine. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A contender that is at work. Disposing ends it. */
export interface RunningContender extends AsyncDisposable {
  readonly process: ToolProcess;
  /** Where a port of a Service answers. Throws for one that does not. */
  address(port: PortName, service?: string): Address;
  /** Bytes that the application at the far end has read so far. */
  applicationBytesRead(): number;
}

/** One that is measured. */
export interface Contender {
  readonly name: ContenderName;
  /** Resolves when the contender itself says that it is ready. */
  start(signal: AbortSignal): Promise<RunningContender>;
}
