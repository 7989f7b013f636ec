/**
 * sandbox: a simulated Kubernetes API server in this process, for trying localizer without a cluster and for faults that a
 * real one does not produce on command. Promises to answer as the real one does, which test/contract holds it to, and to
 * fail as it is told. Used by tests; `cluster/` has what works on its objects.
 */
import { gzipSync } from "node:zlib";
import type { Clock } from "../clock.ts";
import { type AccessRule, attemptOf, reviewAccess, reviewPath } from "./access.ts";
import type { Admit } from "./admission.ts";
import { type ApiCall, type HttpRequest, readCall } from "./api-call.ts";
import { type ApiObject, apiVersionOf, type ResourceDefinition } from "./api-object.ts";
import { builtInResources } from "./built-in-resources.ts";
import { discoveryDocument } from "./discovery.ts";
import { FaultPlans, type Faults } from "./faults.ts";
import { type Exchange, type HttpDoorOptions, openHttpDoor } from "./http-door.ts";
import { listObjects } from "./list.ts";
import { ObjectApi } from "./object-api.ts";
import { ObjectStore } from "./object-store.ts";
import { failWith } from "./request-fault.ts";
import { forbidden, Refusal } from "./status.ts";
import { eventLine, serveWatch } from "./watch.ts";
import { runWrite } from "./write.ts";

/** Settings of a server. All but the door's have defaults that are the real server's. */
export interface SandboxOptions extends HttpDoorOptions {
  /** Kinds beside those built in. */
  readonly resources?: readonly ResourceDefinition[];
  /** Namespaces that exist from the start. */
  readonly namespaces?: readonly string[];
  readonly bookmarkMs?: number;
  /** How many changes are remembered for watches. */
  readonly historySize?: number;
  /** Lists from so many bytes on are gzipped for clients that take it. */
  readonly gzipFromBytes?: number;
  /** What an access review answers, and what is forbidden; all is allowed unless given. Called once a request. */
  readonly allows?: AccessRule;
  /** Has a word on every write, dry runs included. */
  readonly admit?: Admit;
  /** Told about every request as it is taken. Must not throw. */
  readonly onRequest?: (http: HttpRequest) => void;
}

/** A running server. */
export interface SandboxApiServer extends AsyncDisposable {
  /** `https://127.0.0.1:4711` */
  readonly origin: string;
  /** What it holds, to be read, and forgotten with `compact`. */
  readonly store: ObjectStore;
  /** Changes objects without HTTP, by the same rules. */
  readonly objects: ObjectApi;
  readonly faults: Faults;
  /** All kinds that it has. */
  readonly resources: readonly ResourceDefinition[];
  /** The kind of that name ("services", "deployments.apps"). @throws RangeError when there is none */
  resource(name: string): ResourceDefinition;
  /** How many connections were ever made to it. */
  readonly connections: number;
  /** Watches that are open now. */
  readonly watches: number;
}

interface OpenWatch extends Disposable {
  readonly exchange: Exchange;
}

const defaults = { bookmarkMs: 60_000, historySize: 10_000, gzipFromBytes: 128 * 1024 } as const;
const version = { major: "1", minor: "34", gitVersion: "v1.34.0+localizer-sandbox", platform: "sandbox/any" };

/**
 * Starts a server.
 * @throws LocalizerError `conflict` when the port is taken
 */
export async function startSandboxApiServer(clock: Clock, options: SandboxOptions = {}): Promise<SandboxApiServer> {
  const settings = { ...defaults, ...options };
  const resources = [...builtInResources, ...(options.resources ?? [])];
  const store = new ObjectStore({ historySize: settings.historySize });
  const objects = new ObjectApi(store, clock, options.admit);
  const resource = (name: string) => {
    const found = resources.find(({ group, plural }) => name === (group === "" ? plural : `${plural}.${group}`));
    if (found === undefined) throw new RangeError(`The sandbox has no resource "${name}"`);
    return found;
  };
  for (const name of ["default", "kube-system", ...(options.namespaces ?? [])]) {
    objects.create({ resource: resource("namespaces"), namespace: undefined }, { metadata: { name } });
  }
  const plans = new FaultPlans();
  const watches = new Set<OpenWatch>();
  const allows = options.allows ?? (() => true);

  const answer = (exchange: Exchange, call: ApiCall | undefined): void => {
    if (call === undefined) {
      answerPath(exchange, resources, allows);
      return;
    }
    if (!allows(attemptOf(call), call.http)) throw forbidden(call, "sandbox");
    if (call.verb === "watch") watch(exchange, call);
    else if (call.verb === "list") sendList(exchange, call, listObjects(call, store), settings.gzipFromBytes);
    else {
      const { status, body } = runWrite(call, objects);
      sendJson(exchange, status, body);
    }
  };
  const watch = (exchange: Exchange, call: ApiCall): void => {
    const sink = {
      open: () => exchange.respond(200, { "content-type": "application/json" }),
      write: (line: string) => exchange.write(line),
      end: () => exchange.end(),
    };
    const served = serveWatch(call, sink, { store, clock }, settings);
    const open = { exchange, [Symbol.dispose]: () => served[Symbol.dispose]() };
    watches.add(open);
    const end = () => {
      watches.delete(open);
      open[Symbol.dispose]();
    };
    exchange.closed.addEventListener("abort", end, { once: true });
    if (exchange.closed.aborted) end();
  };
  const receive = (exchange: Exchange): void => {
    settings.onRequest?.(exchange.request);
    try {
      const call = readCall(exchange.request, resources);
      const fault = plans.take(call);
      if (fault === undefined) answer(exchange, call);
      else failWith(fault, { exchange, call, clock }, (to) => guarded(to, () => answer(to, call)));
    } catch (error) {
      refuse(exchange, error);
    }
  };

  const door = await openHttpDoor(options, receive);
  return {
    origin: door.origin,
    store,
    objects,
    resources,
    resource,
    get connections() {
      return door.connections;
    },
    get watches() {
      return watches.size;
    },
    faults: {
      onRequest: (matches, fault, times) => plans.add(matches, fault, times),
      onWatches(fault) {
        for (const { exchange } of [...watches]) {
          if (fault === "reset") exchange.reset();
          else if (fault === "end") exchange.end();
          else if (fault === "broken-json") exchange.write('{"type":"ADDED","object":{\n');
          else exchange.end(eventLine("ERROR", new Refusal(410, "Expired", "too old resource version").body));
        }
      },
      onConnections: (fault) => (fault === "cut" ? door.cutConnections() : door.goAway()),
    },
    async [Symbol.asyncDispose]() {
      await door[Symbol.asyncDispose]();
      for (const open of watches) open[Symbol.dispose]();
    },
  };
}

function answerPath(exchange: Exchange, resources: readonly ResourceDefinition[], allows: AccessRule): void {
  const { request } = exchange;
  const { path, method } = request;
  const document = method === "GET" ? discoveryDocument(path, resources) : undefined;
  if (path === "/version") sendJson(exchange, 200, version);
  else if (["/healthz", "/livez", "/readyz"].includes(path)) sendText(exchange, 200, "ok");
  else if (path === reviewPath) sendJson(exchange, 201, reviewAccess(request, allows));
  else if (document !== undefined) sendJson(exchange, 200, document);
  else sendText(exchange, 404, "404 page not found\n");
}

function sendList(exchange: Exchange, call: ApiCall, list: ReturnType<typeof listObjects>, gzipFrom: number): void {
  const { resource } = call;
  const metadata = { resourceVersion: String(list.version) };
  const items: readonly ApiObject[] = list.items;
  const body = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items };
  const text = JSON.stringify(body);
  const takesGzip = String(exchange.request.headers["accept-encoding"] ?? "").includes("gzip");
  const json = { "content-type": "application/json" };
  if (!takesGzip || text.length < gzipFrom) {
    exchange.respond(200, json);
    exchange.end(text);
    return;
  }
  exchange.respond(200, { ...json, "content-encoding": "gzip" });
  exchange.end(gzipSync(text, { level: 1 }));
}

function sendJson(exchange: Exchange, status: number, body: unknown): void {
  exchange.respond(status, { "content-type": "application/json" });
  exchange.end(JSON.stringify(body));
}

function sendText(exchange: Exchange, status: number, text: string): void {
  exchange.respond(status, { "content-type": "text/plain; charset=utf-8" });
  exchange.end(text);
}

function guarded(exchange: Exchange, run: () => void): void {
  try {
    run();
  } catch (error) {
    refuse(exchange, error);
  }
}

/** Answers with the refusal. Anything else that was thrown is a fault of ours, and said as the real server says its own. */
function refuse(exchange: Exchange, thrown: unknown): void {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const refusal =
    thrown instanceof Refusal ? thrown : new Refusal(500, "InternalError", `Internal error occurred: ${why}`);
  const { code, body, retryAfterSeconds } = refusal;
  const wait = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  exchange.respond(code, { "content-type": "application/json", ...wait });
  exchange.end(JSON.stringify(body));
}
