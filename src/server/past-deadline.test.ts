import assert from "node:assert/strict";
import { connect } from "node:http2";
import { createConnection } from "node:net";
import { test } from "node:test";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { openFakeDaemon } from "../../test/rpc/fake-daemon.ts";
import { startLines, ToldLines } from "../../test/rpc/fake-exposure.ts";
import { until } from "../../test/support/event-loop.ts";
import {
  ExposeServiceRequestSchema,
  LocalizerService,
  StopExposeRequestSchema,
  WatchStatsRequestSchema,
} from "../rpc/gen/api/v1/localizer_pb.ts";
import { Health, HealthCheckRequestSchema } from "../rpc/gen/grpc/health/v1/health_pb.ts";

/** Calls with a deadline that is the server's alone to notice, and gives the status in its trailers. */
async function called<S extends DescMessage>(
  socketPath: string,
  method: { readonly name: string; readonly parent: { readonly typeName: string } },
  schema: S,
  request: MessageInitShape<S>,
): Promise<{ status: unknown; message: string }> {
  const session = connect("http://localhost", { createConnection: () => createConnection(socketPath) });
  try {
    const call = session.request({
      ":method": "POST",
      ":path": `/${method.parent.typeName}/${method.name}`,
      "content-type": "application/grpc",
      "grpc-timeout": "50m",
      te: "trailers",
    });
    const trailers = new Promise<{ status: unknown; message: string }>((resolve, reject) => {
      call.on("trailers", (headers) =>
        resolve({ status: headers["grpc-status"], message: decodeURIComponent(String(headers["grpc-message"])) }),
      );
      call.on("error", reject);
    });
    const body = toBinary(schema, create(schema, request));
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(body.length, 1);
    call.end(Buffer.concat([prefix, body]));
    call.resume();
    return await trailers;
  } finally {
    session.destroy();
  }
}

const over = { status: "4", message: "The deadline of this call is over; what it has begun goes on" };
const who = { namespace: "shop", service: "cart" };

test("pastDeadline() is the answer when the server is the first to see a call's deadline, and nothing is cancelled", async () => {
  const { exposeService, stopExpose } = LocalizerService.method;
  for (const [method, schema] of [
    [exposeService, ExposeServiceRequestSchema],
    [stopExpose, StopExposeRequestSchema],
  ] as const) {
    const lines = new ToldLines();
    await using daemon = await openFakeDaemon({ expose: () => lines, stopExpose: () => lines });
    lines.say(...startLines.slice(0, 1));
    assert.deepEqual(await called(daemon.socketPath, method, schema, who), over);
    lines.say(...startLines.slice(1));
    lines.end();
    await until(() => lines.asked === startLines.length + 1);
    assert.equal(lines.cancelled, false);
  }
});

test("pastDeadline() is the answer to who watches figures or health, too", async () => {
  await using daemon = await openFakeDaemon();
  const { watchStats } = LocalizerService.method;
  assert.deepEqual(await called(daemon.socketPath, watchStats, WatchStatsRequestSchema, {}), over);
  assert.deepEqual(await called(daemon.socketPath, Health.method.watch, HealthCheckRequestSchema, {}), over);
});
