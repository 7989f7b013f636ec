/** What is said when somebody asks for a workload's environment, as plain objects, in both directions. Used by client and server. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { serviceKey } from "../model/service-key.ts";
import type {
  WorkloadEnvironmentRequest,
  WorkloadEnvironmentRequestSchema,
  WorkloadEnvironmentResponse,
  WorkloadEnvironmentResponseSchema,
} from "./gen/api/v1/localizer_pb.ts";

/** Whose environment, and how much of it. */
export interface EnvironmentWish {
  readonly namespace: string;
  readonly service: string;
  /** As of an exposure: the container whose port is named is the one that is meant, else that of the first port. */
  readonly portMaps: readonly string[];
  /** Read the values that come from Secrets, too. */
  readonly secrets: boolean;
}

/** The same as a caller says it. */
export interface EnvironmentAsk extends Partial<EnvironmentWish> {
  readonly namespace: string;
  readonly service: string;
}

/** The environment of a workload's container, as far as it can be told from outside. */
export interface WorkloadEnvironment {
  /** `Deployment "cart"`, from whose pod template it was read. */
  readonly source: string;
  readonly container: string;
  /** Each name once. */
  readonly variables: readonly { readonly name: string; readonly value: string }[];
  readonly omitted: readonly OmittedVariable[];
  /** What the user should know, a sentence each. */
  readonly notices: readonly string[];
}

/** A variable that the container has, and whose value is not told. */
export interface OmittedVariable {
  /** Empty: all that the ConfigMap or Secret of the reason would have given. */
  readonly name: string;
  /** The rest of a sentence: `it comes from key "password" of Secret "db": …`. */
  readonly reason: string;
}

/** What goes over the wire for a wish. */
export function environmentAskMessage({
  portMaps = [],
  ...rest
}: EnvironmentAsk): MessageInitShape<typeof WorkloadEnvironmentRequestSchema> {
  return { ...rest, portMap: [...portMaps] };
}

/** @throws LocalizerError `usage` when it names no Service */
export function environmentWishOf(request: WorkloadEnvironmentRequest): EnvironmentWish {
  const { namespace, service, portMap, secrets } = request;
  serviceKey(namespace, service);
  return { namespace, service, portMaps: [...portMap], secrets };
}

/** What goes over the wire for an answer. */
export function environmentMessage(
  environment: WorkloadEnvironment,
): MessageInitShape<typeof WorkloadEnvironmentResponseSchema> {
  const { source, container, variables, omitted, notices } = environment;
  return {
    ...{ source, container, notices: [...notices] },
    variables: variables.map(({ name, value }) => ({ name, value })),
    omitted: omitted.map(({ name, reason }) => ({ name, reason })),
  };
}

/** The answer, plain. */
export function environmentOf(response: WorkloadEnvironmentResponse): WorkloadEnvironment {
  const { source, container, variables, omitted, notices } = response;
  return {
    ...{ source, container, notices: [...notices] },
    variables: variables.map(({ name, value }) => ({ name, value })),
    omitted: omitted.map(({ name, reason }) => ({ name, reason })),
  };
}
