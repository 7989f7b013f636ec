/** The gRPC health service (grpc.health.v1): whoever gets an answer at all is told that the daemon serves. */
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { aborted } from "../clock.ts";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../rpc/gen/grpc/health/v1/health_pb.ts";
import { pastDeadline } from "./past-deadline.ts";

/** Answers for the given services and, under the empty name, for the server as a whole. */
export function healthService(services: readonly DescService[]): ServiceImpl<typeof Health> {
  const names = new Set(["", ...services.map((service) => service.typeName)]);
  return {
    check({ service }) {
      if (!names.has(service)) throw new ConnectError(`There is no service "${service}"`, Code.NotFound);
      return { status: Status.SERVING };
    },
    // The status never changes while the server lives; the stream stays open, as the protocol wants it.
    async *watch({ service }, { signal }) {
      yield { status: names.has(service) ? Status.SERVING : Status.SERVICE_UNKNOWN };
      await aborted(signal);
      const late = pastDeadline(signal);
      if (late !== undefined) throw late;
    },
  };
}
