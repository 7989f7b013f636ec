/** An exposure as `List` tells it, as a plain object, and on its way there. Pure. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Exposure, ExposureSchema } from "./gen/api/v1/localizer_pb.ts";

/** Every state, in no order. `lost`: somebody else has taken over; `contended`: somebody keeps scaling the workload up. */
export const exposureStates = [
  "starting",
  "exposed",
  "reconnecting",
  "contended",
  "lost",
  "stopping",
  "failed",
] as const;

/** How an exposure stands, as far as this version knows. */
export type ExposureState = (typeof exposureStates)[number];

/** A word that is known, or one of a newer daemon. */
export type ListedExposureState = ExposureState | (string & Record<never, never>);

/** What was scaled to 0 for an exposure. */
export interface ListedExposureOwner {
  /** "Deployment" */
  readonly kind: string;
  readonly name: string;
  /** What it was set to, and will be again. */
  readonly replicas: number;
}

/** One port of an exposure. */
export interface ListedExposurePort {
  /** Of the local process. */
  readonly local: number;
  /** Of the pod. */
  readonly remote: number;
  /** The Service's name for it; may be empty. */
  readonly name: string;
  /** Open now. */
  readonly connections: number;
  readonly connectionsTotal: number;
  /** From the cluster to the local process; those of open connections too. */
  readonly bytesIn: number;
  /** From the local process to the cluster. */
  readonly bytesOut: number;
  /** Connections that were closed because nobody listened here, or there were too many. */
  readonly refused: number;
  /** Why the newest connection failed, "no local process on port 8080" for instance; empty once one has succeeded. */
  readonly lastError: string;
}

/** A Service whose traffic goes to a local process. */
export interface ListedExposure {
  readonly namespace: string;
  readonly service: string;
  /** A UUID. */
  readonly session: string;
  readonly state: ListedExposureState;
  /** Why the state is what it is; empty when there is nothing to say. */
  readonly reason: string;
  /** When it was asked for, in ms since the Unix epoch. */
  readonly since: number;
  /** The pod that stands in for the workload; empty while there is none. */
  readonly pod: string;
  readonly owners: readonly ListedExposureOwner[];
  readonly ports: readonly ListedExposurePort[];
  /** Who holds it: "user@host". */
  readonly holder: string;
}

/** The exposure, plain. */
export function exposureOf(message: Exposure): ListedExposure {
  const { namespace, service, session, state, reason, since, pod, owners, ports, holder } = message;
  return {
    ...{ namespace, service, session, state, reason, since: Number(since), pod, holder },
    owners: owners.map(({ kind, name, replicas }) => ({ kind, name, replicas })),
    ports: ports.map(({ local, remote, name, connections, refused, lastError, ...counted }) => ({
      ...{ local, remote, name, connections, refused: Number(refused), lastError },
      connectionsTotal: Number(counted.connectionsTotal),
      bytesIn: Number(counted.bytesIn),
      bytesOut: Number(counted.bytesOut),
    })),
  };
}

/** What goes over the wire for an exposure. */
export function exposureMessage(exposure: ListedExposure): MessageInitShape<typeof ExposureSchema> {
  return {
    ...exposure,
    since: BigInt(Math.round(exposure.since)),
    owners: exposure.owners.map((owner) => ({ ...owner })),
    ports: exposure.ports.map((port) => ({
      ...port,
      connectionsTotal: BigInt(port.connectionsTotal),
      bytesIn: BigInt(port.bytesIn),
      bytesOut: BigInt(port.bytesOut),
      refused: BigInt(port.refused),
    })),
  };
}
