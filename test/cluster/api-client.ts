/**
 * The few calls that the fixture itself makes to the API server, as the cluster's administrator.
 * Not the client under test: as plain as can be, one request after the other over HTTP/1.1.
 */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";

/** An answer; `body` is the parsed JSON, or the text where it is none. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

const requestTimeoutMs = 10_000;

/** Speaks to one cluster's API server. Dispose to close the connections. */
export class ApiClient implements Disposable {
  readonly #server: string;
  readonly #agent: Agent;

  private constructor(server: string, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
  }

  /** Takes the administrator's certificate of a cluster whose pki exists. */
  static async asAdmin(layout: ClusterLayout): Promise<ApiClient> {
    const [ca, cert, key] = await Promise.all(
      ["ca.crt", "admin.crt", "admin.key"].map((file) => readFile(join(layout.pkiDir, file))),
    );
    return new ApiClient(layout.server, new Agent({ ca, cert, key, keepAlive: true }));
  }

  /** Sends one request. Resolves for every HTTP status; rejects when there is no answer. */
  send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<ApiAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
    const headers = body === undefined ? {} : { "Content-Type": contentType(method) };
    const call = request(`${this.#server}${path}`, {
      method,
      agent: this.#agent,
      headers,
      signal: AbortSignal.any([AbortSignal.timeout(requestTimeoutMs), ...(signal === undefined ? [] : [signal])]),
    });
    call.on("error", reject);
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject);
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString("utf8")) });
      });
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }

  /** GETs an object or list. Throws for any status but 200. */
  async get(path: string, signal?: AbortSignal): Promise<unknown> {
    const { status, body } = await this.send("GET", path, undefined, signal);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function contentType(method: string): string {
  return method === "PATCH" ? "application/merge-patch+json" : "application/json";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
