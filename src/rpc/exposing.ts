/**
 * What is said when a Service is exposed or given back, as plain objects: the wish that goes to the daemon, the lines that come
 * back. Both directions stand here, so that neither end can forget a field. Used by client, server and whoever implements the wish.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { LocalizerError } from "../errors.ts";
import { serviceKey } from "../model/service-key.ts";
import {
  ConsoleLevel,
  type ConsoleResponse,
  type ConsoleResponseSchema,
  type ExposeServiceRequest,
  type ExposeServiceRequestSchema,
  type StopExposeRequest,
} from "./gen/api/v1/localizer_pb.ts";

/** The pod that stands in for the workload. What is empty stays as the daemon would have it. */
export interface ExposePodWish {
  /** With an sshd in it. */
  readonly image: string;
  /** Names of Secrets in the Service's namespace. */
  readonly pullSecrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `off`: it asks a service mesh to leave it alone; `inherit`: it asks for nothing. */
  readonly mesh: "" | "off" | "inherit";
  /** Quantities as Kubernetes writes them: "50m", "64Mi". */
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly cpuLimit: string;
  readonly memoryLimit: string;
}

/** That a Service's traffic shall go to a local process. */
export interface ExposeWish {
  readonly namespace: string;
  readonly service: string;
  /** "8080:80", "8080:http" or "8080" each, still to be checked against the Service's ports. */
  readonly portMaps: readonly string[];
  /** Find out and tell everything, change nothing. */
  readonly dryRun: boolean;
  /** Go ahead although the context is a protected one. */
  readonly yes: boolean;
  /** Take the place of a session that has given no sign of life for longer than it may. */
  readonly takeOver: boolean;
  /** Go ahead although scaling to 0 deletes volumes. */
  readonly allowVolumeLoss: boolean;
  /** Go ahead although pods go, too, that the Service does not lead to. */
  readonly allowPartial: boolean;
  /** Before traffic comes, wait until processes listen on the local ports: 60 s at most. */
  readonly awaitLocal: boolean;
  readonly pod: ExposePodWish;
}

/** The same as a caller says it: what is left out is not wished for. */
export interface ExposeRequest extends Partial<Omit<ExposeWish, "pod">> {
  readonly namespace: string;
  readonly service: string;
  readonly pod?: Partial<ExposePodWish>;
}

/** That a Service shall be as it was. */
export interface StopExposeWish {
  readonly namespace: string;
  readonly service: string;
  /** Do not wait until a pod of the workload is ready before ours goes. */
  readonly noWait: boolean;
  /** Which exposure of the Service is meant; empty: whichever there is. */
  readonly session: string;
}

/** The same as a caller says it. */
export interface StopExposeAsk extends Partial<StopExposeWish> {
  readonly namespace: string;
  readonly service: string;
}

/** A line for the user. */
export interface ExposeLine {
  readonly level: "info" | "warn" | "error";
  /** A sentence without a full stop. */
  readonly message: string;
  /** What is being done, a word for programs; the last line of a start has `exposed`, that of an end `ended`. Empty: a plain line. */
  readonly step: string;
}

/** What goes over the wire for a wish. */
export function exposeMessage(wish: ExposeRequest): MessageInitShape<typeof ExposeServiceRequestSchema> {
  const { portMaps = [], pod, ...rest } = wish;
  return {
    ...rest,
    portMap: [...portMaps],
    ...(pod && {
      pod: {
        ...pod,
        pullSecrets: [...(pod.pullSecrets ?? [])],
        labels: { ...pod.labels },
        annotations: { ...pod.annotations },
      },
    }),
  };
}

/** @throws LocalizerError `usage` when it names no Service, or a mesh word that is not known */
export function exposeWishOf(request: ExposeServiceRequest): ExposeWish {
  const { namespace, service, portMap, dryRun, yes, takeOver, allowVolumeLoss, allowPartial, awaitLocal, pod } =
    request;
  serviceKey(namespace, service);
  return {
    ...{ namespace, service, dryRun, yes, takeOver, allowVolumeLoss, allowPartial, awaitLocal },
    portMaps: [...portMap],
    pod: {
      image: pod?.image ?? "",
      pullSecrets: [...(pod?.pullSecrets ?? [])],
      labels: { ...pod?.labels },
      annotations: { ...pod?.annotations },
      mesh: meshOf(pod?.mesh ?? ""),
      cpuRequest: pod?.cpuRequest ?? "",
      memoryRequest: pod?.memoryRequest ?? "",
      cpuLimit: pod?.cpuLimit ?? "",
      memoryLimit: pod?.memoryLimit ?? "",
    },
  };
}

/** @throws LocalizerError `usage` when it names no Service */
export function stopExposeWishOf({ namespace, service, noWait, session }: StopExposeRequest): StopExposeWish {
  serviceKey(namespace, service);
  return { namespace, service, noWait, session };
}

/** What goes over the wire for a line. */
export function lineMessage({ level, message, step }: ExposeLine): MessageInitShape<typeof ConsoleResponseSchema> {
  return { level: consoleLevels[level], message, step };
}

/** The line, plain. A level that is not known counts as info. */
export function exposeLineOf({ level, message, step }: ConsoleResponse): ExposeLine {
  if (level === ConsoleLevel.WARN) return { level: "warn", message, step };
  return { level: level === ConsoleLevel.ERROR ? "error" : "info", message, step };
}

const consoleLevels: Readonly<Record<ExposeLine["level"], ConsoleLevel>> = {
  info: ConsoleLevel.INFO,
  warn: ConsoleLevel.WARN,
  error: ConsoleLevel.ERROR,
};

/** @throws LocalizerError `usage` for a word that is not known */
function meshOf(text: string): ExposePodWish["mesh"] {
  if (text === "" || text === "off" || text === "inherit") return text;
  throw new LocalizerError("usage", `Cannot use "${text}" as mesh of the pod: want off or inherit`);
}
