/** A namespace of the real cluster in which Services are exposed: workloads, daemons, local processes, and a caller in a pod. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { at, textAt, textsAt } from "../../src/kube/json.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { type TestAppOptions, testApp } from "../cluster/test-app.ts";
import { testAppImage } from "../cluster/test-images.ts";
import { type LocalizerOptions, type LocalizerRun, startLocalizer } from "../e2e/localizer-run.ts";

/** The image that runs sshd in the test cluster. */
export const exposeImage = "localhost/localizer-sshd:1";

/** A namespace with a caller. Disposing ends what was started in it and deletes it. */
export interface ExposePlace extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** A daemon, with Leases of 5 s unless told otherwise. */
  daemon(options?: Partial<LocalizerOptions>): Promise<LocalizerRun>;
  /** An HTTP server of this machine that says `hello from NAME on NAME: here`, as soon as `isReady` resolves. */
  process(name: string, isReady?: Promise<void>): Promise<LocalProcess>;
  /** What a pod in the cluster gets from `GET /` of a Service's port; its error as text. */
  call(service: string, port: number): Promise<string>;
  /** kubectl in this namespace; gives what it prints. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** An object of this namespace. */
  get(kind: string, name: string): Promise<unknown>;
  /** What sessions have left here: names of Leases, pods and Secrets. */
  leftovers(): Promise<readonly string[]>;
}

/** A server of this machine. */
export interface LocalProcess extends AsyncDisposable {
  readonly port: number;
}

/** Makes the namespace, its caller and the objects. `labels` are the namespace's. */
export async function openExposePlace(options: {
  readonly objects: (namespace: string) => readonly object[];
  readonly labels?: Readonly<Record<string, string>>;
}): Promise<ExposePlace> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const namespace = `expose-${randomBytes(3).toString("hex")}`;
  stack.defer(async () => {
    await cluster.kubectl(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
  });
  const metadata = { name: namespace, labels: options.labels ?? {} };
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata }]);
  await cluster.apply([...options.objects(namespace), callerPod(namespace)]);
  const kubectl = (...args: readonly string[]) => cluster.kubectl(["-n", namespace, ...args]);
  await kubectl("wait", "--for=condition=Ready", "pod/caller", "--timeout=240s");
  const works = stack.move();
  return {
    cluster,
    namespace,
    kubectl,
    async daemon(given = {}) {
      const flags = ["--namespace", namespace, `--expose-image=${exposeImage}`, "--expose-lease=5s"];
      const all = { kubeconfig: cluster.kubeconfig, ...given, flags: [...flags, ...(given.flags ?? [])] };
      return works.use(await startLocalizer(all));
    },
    async process(name, isReady) {
      return works.use(await httpProcess(name, isReady));
    },
    async call(service, port) {
      const ip = (await kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")).trim();
      const words = ["exec", "caller", "--", "/testapp", "client", "--http=/", "--timeout=3s", `${ip}:${port}`];
      return await kubectl(...words).catch((error: unknown) => String(error));
    },
    get: async (kind, name) => JSON.parse(await kubectl("get", kind, name, "-o", "json")),
    async leftovers() {
      const found = await kubectl("get", "lease,pod,secret", "-o", "name");
      return found.split("\n").filter((name) => name.includes("/localizer-"));
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

/** What must be as before when an exposure has ended: the number, and all labels and annotations. */
export function scaledState(object: unknown): unknown {
  return {
    replicas: at(object, "spec", "replicas"),
    labels: textsAt(object, "metadata", "labels"),
    annotations: textsAt(object, "metadata", "annotations"),
    uid: textAt(object, "metadata", "uid"),
  };
}

/** A Deployment with two pods and a Service with ports 80 (named http) and 7000; restricted-proof. The rest as in `testApp`. */
export function restrictedApp(
  namespace: string,
  name: string,
  replicas = 2,
  rest: Pick<TestAppOptions, "preStopSeconds"> = {},
): readonly object[] {
  const ports = [
    { name: "http", port: 80, targetPort: "http" },
    { name: "echo", port: 7000 },
  ];
  return testApp({ ...rest, name, namespace, replicas, ports }).map(restricted);
}

/** The same object with what Pod Security "restricted" asks of its pods. */
export function restricted(object: object): object {
  const template = at(object, "spec", "template");
  if (template === undefined) return object;
  const podSpec = Object(at(template, "spec"));
  const containers = Array.from(Object(at(podSpec, "containers"))).map((container) => ({
    ...Object(container),
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  }));
  const securityContext = { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } };
  const spec = { ...podSpec, containers, securityContext };
  return { ...object, spec: { ...Object(at(object, "spec")), template: { ...Object(template), spec } } };
}

function callerPod(namespace: string): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "caller", namespace },
    spec: {
      terminationGracePeriodSeconds: 1,
      dnsPolicy: "Default",
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "app",
          image: testAppImage,
          imagePullPolicy: "Never",
          args: ["pause"],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}

async function httpProcess(name: string, isReady = Promise.resolve()): Promise<LocalProcess> {
  const server = createServer(async (_request, response) => {
    await isReady;
    response.end(`hello from ${name} on ${name}: here\n`);
  });
  const port = await listening(server);
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Listens on a free port of 127.0.0.1, and gives it. */
export function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address: AddressInfo | string | null = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
    });
  });
}

/** A port of 127.0.0.1 on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
