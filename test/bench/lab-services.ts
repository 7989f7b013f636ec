/** Services of a lab, made and deleted many at a time. */
import type { ApiClient } from "../cluster/api-client.ts";
import type { ServicePort } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";

/** How they are made. */
export interface LabServicesOptions {
  readonly ports: readonly ServicePort[];
  /** For all endpoints to be there. */
  readonly timeoutMs: number;
  readonly log: (line: string) => void;
}

const atOnce = 32;

/** kube-proxy has nothing to do with what is measured here, and thousands of Services keep it busy for long. */
const notForKubeProxy = { "service.kubernetes.io/service-proxy-name": "localizer-bench" };

/** What it has made it deletes when it is disposed, and says so if it cannot. */
export class LabServices implements AsyncDisposable {
  readonly #api: ApiClient;
  readonly #namespace: string;
  readonly #options: LabServicesOptions;
  readonly #made = new Set<string>();

  constructor(api: ApiClient, namespace: string, options: LabServicesOptions) {
    this.#api = api;
    this.#namespace = namespace;
    this.#options = options;
  }

  /** Before the pods with the label `app=app`. Resolves when the API server has them all. */
  async create(names: readonly string[], signal: AbortSignal): Promise<void> {
    const spec = { selector: { app: "app" }, ports: this.#options.ports };
    await eachOf(names, async (name) => {
      signal.throwIfAborted();
      this.#made.add(name);
      const service = { apiVersion: "v1", kind: "Service", metadata: { name, labels: notForKubeProxy }, spec };
      const { status, body } = await this.#api.send("POST", this.#path(), service, signal);
      if (status !== 201) throw new Error(`Cannot create Service "${name}": ${status} ${JSON.stringify(body)}`);
    });
  }

  /** Resolves when the API server has deleted them all, or never had them. */
  async delete(names: readonly string[], signal?: AbortSignal): Promise<void> {
    await eachOf(names, async (name) => {
      const { status, body } = await this.#api.send("DELETE", `${this.#path()}/${name}`, undefined, signal);
      if (status !== 200 && status !== 404) {
        throw new Error(`Cannot delete Service "${name}": ${status} ${JSON.stringify(body)}`);
      }
      this.#made.delete(name);
    });
  }

  /** Resolves when so many Services of the namespace have a ready endpoint. */
  async waitForEndpoints(count: number, signal: AbortSignal): Promise<void> {
    const path = `/apis/discovery.k8s.io/v1/namespaces/${this.#namespace}/endpointslices`;
    const { timeoutMs } = this.#options;
    const haveAll = async () => readySlices(await this.#api.get(path, signal)) === count;
    // A list of thousands is work for the API server that the controller needs for itself.
    const intervalMs = 100 + count;
    await waitFor(`endpoints of ${count} Services`, haveAll, { timeoutMs, intervalMs, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // No signal: this has to be done after Ctrl-C as well.
      await this.delete([...this.#made]);
    } catch (error) {
      this.#options.log(error instanceof Error ? error.message : String(error));
    }
  }

  #path(): string {
    return `/api/v1/namespaces/${this.#namespace}/services`;
  }
}

/** Several at the same time. The first failure ends it, when those under way are over. */
async function eachOf(names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
  const queue = names.values();
  let failure: { readonly error: unknown } | undefined;
  const work = async () => {
    for (const name of queue) {
      if (failure !== undefined) return;
      await act(name).catch((error: unknown) => {
        failure ??= { error };
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failure !== undefined) throw failure.error;
}

function readySlices(list: unknown): number {
  if (typeof list !== "object" || list === null || !("items" in list) || !Array.isArray(list.items)) return 0;
  return list.items.filter((slice) => JSON.stringify(slice).includes('"ready":true')).length;
}
