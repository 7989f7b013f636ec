// A gRPC client for the daemon that shares no code with localizer: grpc-go, and messages built at run
// time from the text of the .proto file. Calls one method over a unix socket and prints the answer as JSON.
//
//	goclient [-data JSON] [-timeout 10s] SOCKET PROTO METHOD
//
// METHOD is a method of LocalizerService, or "reflect" (the services that reflection lists), or "health".
// A failed call prints {"code": "...", "message": "...", "messages": [...]} and exits with 1; messages are what a stream had
// brought before it failed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

func main() {
	data := flag.String("data", "{}", "the request as JSON")
	timeout := flag.Duration("timeout", 10*time.Second, "deadline of the call")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: goclient [-data JSON] [-timeout 10s] SOCKET PROTO METHOD")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	answer, err := call(ctx, flag.Arg(0), flag.Arg(1), flag.Arg(2), *data)
	if err != nil {
		state := status.Convert(err)
		print(map[string]any{"code": state.Code().String(), "message": state.Message(), "messages": answer})
		os.Exit(1)
	}
	print(answer)
}

func call(ctx context.Context, socket, protoFile, method, data string) (any, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	switch method {
	case "health":
		return health(ctx, conn)
	case "reflect":
		return reflect(ctx, conn)
	}
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(ctx, protoFile)
	if err != nil {
		return nil, err
	}
	service := files[0].Services().ByName("LocalizerService")
	if service == nil {
		return nil, fmt.Errorf("no LocalizerService in %s", protoFile)
	}
	descriptor := service.Methods().ByName(protoreflect.Name(method))
	if descriptor == nil {
		return nil, fmt.Errorf("no method %s in %s", method, protoFile)
	}
	request := dynamicpb.NewMessage(descriptor.Input())
	if err := protojson.Unmarshal([]byte(data), request); err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/%s/%s", service.FullName(), method)
	if descriptor.IsStreamingServer() {
		return stream(ctx, conn, path, request, descriptor.Output())
	}
	response := dynamicpb.NewMessage(descriptor.Output())
	if err := conn.Invoke(ctx, path, request, response); err != nil {
		return nil, err
	}
	return asJSON(response)
}

// stream collects every message of a server stream, also of one that fails.
func stream(ctx context.Context, conn *grpc.ClientConn, path string, request proto.Message, output protoreflect.MessageDescriptor) (any, error) {
	calling, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path)
	if err != nil {
		return nil, err
	}
	if err := calling.SendMsg(request); err != nil {
		return nil, err
	}
	if err := calling.CloseSend(); err != nil {
		return nil, err
	}
	messages := []any{}
	for {
		message := dynamicpb.NewMessage(output)
		err := calling.RecvMsg(message)
		if err == io.EOF {
			return messages, nil
		}
		if err != nil {
			return messages, err
		}
		value, err := asJSON(message)
		if err != nil {
			return messages, err
		}
		messages = append(messages, value)
	}
}

func health(ctx context.Context, conn *grpc.ClientConn) (any, error) {
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return nil, err
	}
	return asJSON(answer)
}

// reflect lists the services in both versions of reflection, and the methods of the daemon's own as its
// file descriptor has them.
func reflect(ctx context.Context, conn *grpc.ClientConn) (any, error) {
	calling, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	ask := func(request *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
		if err := calling.Send(request); err != nil {
			return nil, err
		}
		return calling.Recv()
	}
	listed, err := ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	})
	if err != nil {
		return nil, err
	}
	services := []string{}
	for _, service := range listed.GetListServicesResponse().GetService() {
		services = append(services, service.GetName())
	}
	described, err := ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "api.v1.LocalizerService"},
	})
	if err != nil {
		return nil, err
	}
	methods, err := methodsIn(described.GetFileDescriptorResponse().GetFileDescriptorProto())
	if err != nil {
		return nil, err
	}
	unknown, err := ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "no.such.Symbol"},
	})
	if err != nil {
		return nil, err
	}
	old, err := listAlpha(ctx, conn)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"v1":          services,
		"v1alpha":     old,
		"methods":     methods,
		"unknownCode": unknown.GetErrorResponse().GetErrorCode(),
	}, nil
}

func listAlpha(ctx context.Context, conn *grpc.ClientConn) ([]string, error) {
	calling, err := reflectionv1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	request := &reflectionv1alpha.ServerReflectionRequest{
		MessageRequest: &reflectionv1alpha.ServerReflectionRequest_ListServices{},
	}
	if err := calling.Send(request); err != nil {
		return nil, err
	}
	answer, err := calling.Recv()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	return names, nil
}

func methodsIn(encoded [][]byte) ([]string, error) {
	names := []string{}
	for _, bytes := range encoded {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(bytes, file); err != nil {
			return nil, err
		}
		if _, err := protodesc.NewFile(file, nil); err != nil {
			return nil, err
		}
		for _, service := range file.GetService() {
			for _, method := range service.GetMethod() {
				names = append(names, method.GetName())
			}
		}
	}
	return names, nil
}

func asJSON(message proto.Message) (any, error) {
	bytes, err := protojson.MarshalOptions{EmitUnpopulated: true, UseProtoNames: true}.Marshal(message)
	return json.RawMessage(bytes), err
}

func print(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
