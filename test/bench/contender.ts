/** What each contender can do: make ports of an application answer on this machine. */
import type { ContenderName } from "./results.ts";
import type { ToolProcess } from "./tool-process.ts";

/** Ports of the test application: what comes in goes back, is thrown away, or zeros without end go out. */
export const applicationPorts = { echo: 7000, sink: 7001, source: 7002 } as const;

/** A port of the test application by what it does. */
export type PortName = keyof typeof applicationPorts;

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
