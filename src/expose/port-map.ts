/**
 * Which local port each port of an exposed Service leads to: what `--map` says, else the port of the same number as the pod's.
 * Ports that no entry names keep that default, as in the original. Pure.
 */
import { LocalizerError } from "../errors.ts";
import { isPort, type Port } from "../model/port.ts";
import type { ExposedPort } from "./plan.ts";

/** A TCP port of a Service whose port in the pods is known. */
export type ServedPort = Omit<ExposedPort, "local">;

/** A port with what it is called in the entries. */
interface Entry {
  readonly text: string;
  readonly local: Port;
  readonly remotes: ReadonlySet<Port>;
}

/**
 * Takes entries `8080:80`, `8080:http` and `8080` (short for `8080:8080`): the local port, then which one is meant. A number is a
 * port of the pods, and if none has it one of the Service (decision 31); a name is that of a Service's port, or else what the Service calls the
 * pods' port. Ports of the Service that lead to the same port of the pods lead to the same local port.
 * @throws LocalizerError `usage`, which lists the ports that there are, when an entry is malformed, names no port, or names one that another
 * entry has named already
 */
export function mapPorts(maps: readonly string[], ports: readonly ServedPort[]): readonly ExposedPort[] {
  const chosen = new Map<Port, Entry>();
  for (const text of maps) {
    const entry = parseEntry(text, ports);
    for (const remote of entry.remotes) {
      const earlier = chosen.get(remote);
      if (earlier !== undefined) throw badEntry(text, `port ${remote} is mapped by "${earlier.text}" already`, ports);
      chosen.set(remote, entry);
    }
  }
  return ports.map((port) => ({ ...port, local: chosen.get(port.remote)?.local ?? port.remote }));
}

/** What of a map that is given may be meant otherwise: ports that it does not name, and several that lead to one local port. */
export function mapWarnings(maps: readonly string[], ports: readonly ExposedPort[]): readonly string[] {
  if (maps.length === 0) return [];
  const named = new Set(maps.flatMap((text) => [...parseEntry(text, ports).remotes]));
  const locals = new Map(ports.map(({ remote, local }) => [remote, local]));
  const unnamed = [...locals.keys()].filter((remote) => !named.has(remote));
  const shared = Map.groupBy(locals.keys(), (remote) => locals.get(remote));
  return [
    ...unnamed.map((remote) => `Port ${remote} of the pods is not mapped: it leads to local port ${remote}`),
    ...[...shared].flatMap(([local, remotes]) =>
      remotes.length < 2 ? [] : [`Local port ${local} gets what comes for ports ${remotes.join(" and ")} of the pods`],
    ),
  ];
}

/** The ports, those that entries name first. @throws LocalizerError as `mapPorts` */
export function namedFirst<T extends ServedPort>(maps: readonly string[], ports: readonly T[]): readonly T[] {
  const named = maps.flatMap((text) => [...parseEntry(text, ports).remotes]);
  const found = named.flatMap((remote) => ports.filter((port) => port.remote === remote));
  return [...new Set([...found, ...ports])];
}

function parseEntry(text: string, ports: readonly ServedPort[]): Entry {
  const [localText = "", remoteText = localText, ...rest] = text.split(":");
  const local = portOf(localText);
  if (local === undefined || remoteText === "" || rest.length > 0) {
    throw badEntry(text, 'want LOCAL:PORT, such as "8080:80" or "8080:http"', ports);
  }
  const remotes = new Set(remotesOf(remoteText, ports));
  if (remotes.size === 0) throw badEntry(text, `the Service has no TCP port "${remoteText}"`, ports);
  return { text, local, remotes };
}

/** Each test alone decides if it finds anything; the later ones are for those who call the port otherwise. */
function remotesOf(text: string, ports: readonly ServedPort[]): readonly Port[] {
  const number = portOf(text);
  const isMeant: readonly ((port: ServedPort) => boolean)[] =
    number === undefined
      ? [({ name }) => name === text, ({ remoteName }) => remoteName === text]
      : [({ remote }) => remote === number, ({ servicePort }) => servicePort === number];
  for (const test of isMeant) {
    const found = ports.filter(test);
    if (found.length > 0) return found.map(({ remote }) => remote);
  }
  return [];
}

/** Only digits: Number() would take "0x50", "8e3" and " 80". */
function portOf(text: string): Port | undefined {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : undefined;
  return isPort(number) ? number : undefined;
}

function badEntry(text: string, reason: string, ports: readonly ServedPort[]): LocalizerError {
  return new LocalizerError(
    "usage",
    `Cannot map ports by "${text}": ${reason}; there is ${ports.map(describe).join(", ")}`,
  );
}

/** `80 (http) to 8080 (web) of the pods` */
function describe({ servicePort, name, remote, remoteName }: ServedPort): string {
  const named = (port: Port, called: string) => (called === "" ? String(port) : `${port} (${called})`);
  return `${named(servicePort, name)} to ${named(remote, remoteName)} of the pods`;
}
