/** An admission webhook in this process, for one namespace of the test cluster. */
import { randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { at, flagAt, textAt } from "../../src/kube/json.ts";
import { etcdClientUrl } from "../cluster/components.ts";
import { runCommand } from "../cluster/run-command.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type AdmissionPlace, type AdmissionRule, admissionGroup, isRefused, onlyIn } from "./admission-lab.ts";

/** One that is asked. Disposing removes it. */
export interface Webhook extends AsyncDisposable {
  /** What it was asked about: `CREATE pods`, dry runs with a `?`. */
  readonly asked: readonly string[];
}

/** How it is. */
export interface WebhookWish {
  readonly rules: readonly AdmissionRule[];
  /** Only objects with these labels. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `Some` cannot be asked with a dry run. The API has not taken it since 1.22; what was made before then stays as it is. */
  readonly sideEffects: "None" | "Some";
  /** A JSON patch for the object; none unless given. */
  readonly patch?: readonly object[];
  /** Tries what it is asked about, with a dry run. */
  readonly probe: () => Promise<unknown>;
}

const wait = { timeoutMs: 30_000, intervalMs: 200 };

/** An HTTPS server at the host's end of the cluster's network, which the API server asks from now on. */
export async function openWebhook(place: AdmissionPlace, wish: WebhookWish): Promise<Webhook> {
  const { cluster, namespace } = place;
  const { hostAddress } = cluster.layout;
  await using stack = new AsyncDisposableStack();
  const asked: string[] = [];
  const server = await openServer(hostAddress, (review) => answer(review, wish, asked));
  stack.use(server);
  const name = `localizer-test-${randomBytes(4).toString("hex")}`;
  const kind = "mutatingwebhookconfiguration";
  stack.defer(async () => void (await cluster.kubectl(["delete", kind, name, "--ignore-not-found"])));
  const configuration = {
    apiVersion: `${admissionGroup}/v1`,
    kind: "MutatingWebhookConfiguration",
    metadata: { name },
    webhooks: [
      {
        name: "sidecars.test.localizer.dev",
        clientConfig: { url: server.url, caBundle: server.certificate.toString("base64") },
        rules: wish.rules.map((rule) => ({ ...rule, scope: "Namespaced" })),
        ...{ failurePolicy: "Fail", matchPolicy: "Equivalent", reinvocationPolicy: "Never" },
        ...{ admissionReviewVersions: ["v1"], timeoutSeconds: 10, sideEffects: wish.sideEffects },
        namespaceSelector: onlyIn(namespace),
        objectSelector: { matchLabels: wish.labels ?? {} },
      },
    ],
  };
  if (wish.sideEffects === "None") await cluster.apply([configuration]);
  else await store(cluster, `${kind}s`, name, configuration);
  await waitFor("the API server to ask the webhook", () => isAsked(wish, asked), wait);
  asked.length = 0;
  const works = stack.move();
  return { asked, [Symbol.asyncDispose]: () => works.disposeAsync() };
}

async function isAsked({ sideEffects, probe }: WebhookWish, asked: readonly string[]): Promise<boolean> {
  if (sideEffects === "Some") return await isRefused(probe, "does not support dry run");
  await probe();
  return asked.length > 0;
}

/** An AdmissionReview's answer (admission.k8s.io/v1). */
function answer(review: unknown, { patch }: WebhookWish, asked: string[]): object {
  const dryRun = flagAt(review, "request", "dryRun") === true ? "?" : "";
  const resource = textAt(review, "request", "resource", "resource");
  asked.push(`${textAt(review, "request", "operation")} ${resource}${dryRun}`);
  const patched =
    patch === undefined ? {} : { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
  const response = { uid: at(review, "request", "uid"), allowed: true, ...patched };
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
}

/** As an API server of 1.21 has stored it: straight into etcd, by its JSON gateway, in the cluster's own network. */
async function store({ layout }: Cluster, plural: string, name: string, object: object): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const metadata = { name, uid: randomUUID(), generation: 1, creationTimestamp: "2021-01-01T00:00:00Z" };
  const body = JSON.stringify({
    key: base64(`/registry/${plural}/${name}`),
    value: base64(JSON.stringify({ ...object, metadata })),
  });
  const curl = ["curl", "-sS", "--fail", "--max-time", "10", "-d", "@-", `${etcdClientUrl}/v3/kv/put`];
  await runCommand("nsenter", [`--net=${layout.netnsPath}`, "--", ...curl], { input: body });
}

interface ReviewServer extends AsyncDisposable {
  readonly url: string;
  /** Its own authority, PEM. */
  readonly certificate: Buffer;
}

async function openServer(address: string, respond: (review: unknown) => object): Promise<ReviewServer> {
  const { key, certificate } = await selfSigned(address);
  const server = createServer({ key, cert: certificate }, async (request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(respond(await json(request))));
  });
  const port = await listen(server, address);
  return {
    url: `https://${address}:${port}/`,
    certificate,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, address, () => {
      const bound = server.address();
      if (typeof bound === "object" && bound !== null) resolve(bound.port);
    });
  });
}

async function selfSigned(address: string): Promise<{ readonly key: Buffer; readonly certificate: Buffer }> {
  using folder = temporaryFolder();
  const [keyFile, certificateFile] = ["key.pem", "certificate.pem"].map((name) => join(folder.path, name));
  if (keyFile === undefined || certificateFile === undefined) throw new Error("there are two files");
  await runCommand("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localizer-test-webhook", "-addext", `subjectAltName=IP:${address}`],
    ...["-keyout", keyFile, "-out", certificateFile],
  ]);
  const [key, certificate] = [await readFile(keyFile), await readFile(certificateFile)];
  return { key, certificate };
}
