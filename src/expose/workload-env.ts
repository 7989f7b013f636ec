/** What the workload behind a Service has in its environment, read from the cluster: for a local process that takes its place. */
import { codeOf } from "../errors.ts";
import { fewAtOnce } from "../kube/few-at-once.ts";
import { textAt, textsAt } from "../kube/json.ts";
import { kinds, type Objects } from "../kube/objects.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { type BackingComponents, findBacking } from "./backing.ts";
import { type ContainerEnv, containerEnv, type KeyedSource, namedSources } from "./container-env.ts";
import { readExposable, refusal } from "./exposable-service.ts";
import { exposedContainer } from "./exposed-container.ts";
import { podSources } from "./pod-source.ts";
import { namedFirst } from "./port-map.ts";
import { targetPorts } from "./target-ports.ts";

/** Whose environment, and how much of it. */
export interface EnvWish {
  readonly key: ServiceKey;
  /** As of an exposure: the ports that are named decide which container is meant. */
  readonly maps: readonly string[];
  /** Read Secrets, too. */
  readonly secrets: boolean;
}

/** What was found. */
export interface WorkloadEnv extends ContainerEnv {
  /** `Deployment "cart"`, from whose template it was read. */
  readonly source: string;
  readonly container: string;
  /** Sentences for the user. */
  readonly notices: readonly string[];
}

const readsAtOnce = 4;

/**
 * Reads it, also while the Service is exposed.
 * @throws LocalizerError as preflight for a Service that cannot be exposed or a map that is wrong; `conflict` when no workload is known
 */
export async function workloadEnv(
  components: BackingComponents,
  { key, maps, secrets }: EnvWish,
  signal?: AbortSignal,
): Promise<WorkloadEnv> {
  const service = await readExposable(components.objects, key, signal);
  const sources = podSources(await findBacking(components, service, signal));
  const [first] = sources;
  if (first === undefined) throw refusal(key, "no workload is known whose environment a local process could have");
  const ports = namedFirst(maps, targetPorts(service, sources).ports);
  const container = exposedContainer(first.pod, ports);
  const named = namedSources(container);
  const namespace = namespaceOf(key);
  const read = (plural: "configmaps" | "secrets") => (name: string) =>
    readKeyed(components.objects, { plural, namespace, name }, signal);
  const configMaps = await readAll(named.configMaps, read("configmaps"));
  const hidden: KeyedSource = { kind: "unknown", reason: "--env-secrets reads it" };
  const known = secrets ? await readAll(named.secrets, read("secrets")) : new Map<string, KeyedSource>();
  const env = containerEnv({
    ...{ container, pod: first.pod, namespace },
    configMap: (name) => configMaps.get(name) ?? { kind: "absent" },
    secret: (name) => known.get(name) ?? (secrets ? { kind: "absent" } : hidden),
  });
  const others = [...new Set(sources.map(({ name }) => name))].filter((name) => name !== first.name);
  return {
    ...env,
    source: first.name,
    container: textAt(container, "name") ?? "",
    notices: others.length === 0 ? [] : [`The environment is that of ${first.name}, not of ${others.join(", ")}`],
  };
}

async function readAll(names: readonly string[], read: (name: string) => Promise<KeyedSource>) {
  const found = await fewAtOnce(names, readsAtOnce, async (name) => [name, await read(name)] as const);
  return new Map(found);
}

async function readKeyed(
  objects: Pick<Objects, "get">,
  ref: { readonly plural: "configmaps" | "secrets"; readonly namespace: string; readonly name: string },
  signal: AbortSignal | undefined,
): Promise<KeyedSource> {
  try {
    const object = await objects.get({ ...kinds.pods, ...ref }, signal);
    const data = Object.entries(textsAt(object, "data"));
    const decoded = ref.plural === "configmaps" ? data : data.map(([key, text]) => [key, decode(text)] as const);
    return { kind: "data", data: new Map(decoded) };
  } catch (error) {
    if (codeOf(error) === "not-found") return { kind: "absent" };
    if (codeOf(error) === "denied") return { kind: "unknown", reason: "you may not read it" };
    throw error;
  }
}

/** Values of Secrets come as base64 (core/v1). */
function decode(text: string): string {
  return Buffer.from(text, "base64").toString();
}
