/**
 * Server reflection (grpc.reflection.v1 and v1alpha), so that grpcurl and its like need no .proto file.
 * The two versions differ in the package's name alone.
 */
import { createRegistry, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { ServerReflectionRequest } from "../rpc/gen/grpc/reflection/v1/reflection_pb.ts";
import type { ServerReflectionRequest as AlphaRequest } from "../rpc/gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** The handlers of both versions: one answer for each request, in order, about the given services. */
export function reflectionService(services: readonly DescService[]) {
  const files = [...new Set(services.map((service) => service.file))];
  const registry = createRegistry(...files);
  const fileOf = (symbol: string): DescFile | undefined => {
    // A method or field is found through the service or message that it belongs to.
    return (registry.get(symbol) ?? registry.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")))))?.file;
  };

  function answer(request: ServerReflectionRequest | AlphaRequest) {
    const { messageRequest: wish } = request;
    switch (wish.case) {
      case "listServices":
        return listed(services);
      case "fileByFilename":
        return described(
          files.find((file) => file.proto.name === wish.value),
          wish.value,
        );
      case "fileContainingSymbol":
        return described(fileOf(wish.value), wish.value);
      case "allExtensionNumbersOfType":
      case "fileContainingExtension":
        return failed(Code.NotFound, "There are no extensions here");
      default:
        return failed(Code.InvalidArgument, "The request asks for nothing that is known here");
    }
  }

  return {
    async *serverReflectionInfo<R extends ServerReflectionRequest | AlphaRequest>(requests: AsyncIterable<R>) {
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(request) };
      }
    },
  };
}

function listed(services: readonly DescService[]) {
  const names = services.map((service) => ({ name: service.typeName }));
  return { case: "listServicesResponse" as const, value: { service: names } };
}

/** None of our files imports another, so each stands alone. */
function described(file: DescFile | undefined, wish: string) {
  if (file === undefined) return failed(Code.NotFound, `There is no "${wish}"`);
  const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto: [bytes] } };
}

function failed(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
