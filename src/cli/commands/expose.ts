/** `localizer expose`: a Service's traffic goes to a local process, until it is given back. */
import { LocalizerError } from "../../errors.ts";
import type { DaemonClient } from "../../rpc/client.ts";
import type { ExposeLine } from "../../rpc/exposing.ts";
import type { Call, Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { namespacesOf } from "../daemon-settings.ts";
import { environmentFlags, exposeFlags, exposeMode, exposeRequest } from "../expose-flags.ts";
import { leadsSentence, lineText } from "../exposure-text.ts";
import { type FlagValues, isOn } from "../flag-values.ts";
import { stayExposed } from "../stay-exposed.ts";
import { contextNamespace, parseTarget, type Target } from "../target.ts";
import { type ExposedService, findExposure } from "../watch-exposure.ts";
import { bringEnvironment } from "../workload-variables.ts";

/** Returns when traffic flows; the daemon holds the exposure. With a program or --foreground it holds as long as that. */
export const expose: Command = {
  name: "expose",
  operands: "[NAMESPACE/]SERVICE [-- PROGRAM [ARGUMENTS]]",
  maxOperands: 1,
  summary: "let a Service's traffic come to a process on this machine, and give it back",
  details:
    "The workload of the Service is scaled to 0 and a small pod takes its place, from which connections come here, to localhost. It returns when traffic flows; --stop gives the Service back, and so does the daemon when it stops. Without a namespace the one of --namespace is meant, else the context's.\n--map names a port here, and the port of the Service by the pod's number, the Service's number or its name: 8080:80, 8080:http, or 8080 for both.\nWith \"-- PROGRAM\" the program is started while the pod comes up, traffic comes when it listens on all ports (after 60 s in any case), and the Service is given back when it ends; its exit code is the command's, and all that this command prints goes to stderr. --env gives it the environment of the workload's container, --env-file and --env-json write that to a file.\nWith --foreground, Ctrl-C gives back; a second one leaves that to the daemon.\nExits with 4 when there is no such Service, with 5 when a right is missing, with 7 when somebody else holds it, stops it before it is exposed, or something has to be agreed to first.",
  flags: exposeFlags,
  words: "services",
  wordsWith: { flag: "stop", words: "exposed" },
  takesProgram: true,
  run,
};

async function run({ io, flags, operands: [word], program }: Call): Promise<number> {
  const mode = exposeMode(flags, program !== undefined);
  const toBring = environmentFlags(flags);
  if (word === undefined) {
    throw new LocalizerError("usage", "Cannot expose without a Service: want NAMESPACE/SERVICE, or SERVICE alone");
  }
  const target = parseTarget(word, mode === "stop" ? "stop exposing" : "expose");
  const request = exposeRequest(flags);
  const start = program === undefined ? undefined : await io.prepareChild(program);
  const { client } = await daemonClient(flags, io);
  await using _client = client;
  const service = await serviceOf(target, flags, client);
  // The program's output is its own.
  const print = start === undefined ? io.stdout : io.stderr;
  const say = (line: Pick<ExposeLine, "level" | "message">) => print(lineText(line));
  const noWait = isOn(flags, "no-wait");
  const { portMaps = [] } = request;
  // Before anything is changed: a path that cannot be written should cost nothing.
  const variables = await bringEnvironment(client, { ...service, portMaps }, toBring, say);
  if (mode === "stay") {
    const wish = { ...request, ...service };
    return await stayExposed({ io, client, say }, { wish, noWait, ...(start && { start: () => start(variables) }) });
  }
  const key = `${service.namespace}/${service.service}`;
  const stop = new AbortController();
  using _listening = io.onStop(() => stop.abort());
  const { signal } = stop;
  const lines = mode === "stop" ? client.stopExpose({ ...service, noWait }, { signal }) : undefined;
  let last: ExposeLine | undefined;
  let closing: readonly string[];
  try {
    for await (const line of lines ?? client.expose({ ...request, ...service }, { signal })) {
      say(line);
      last = line;
    }
    closing =
      mode === "stop" ? endOf(key, last, noWait) : await startOf(service, { client, signal }, { last, request });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    const how = `"localizer list" shows how it stands, "localizer expose ${key} --stop" gives it back`;
    throw new LocalizerError("aborted", `Left to the daemon, which goes on with "${key}": ${how}`, { cause: thrown });
  }
  for (const message of closing) say({ level: "info", message });
  return 0;
}

/** Where no namespace was typed that of --namespace is meant if it names one, else the context's. */
async function serviceOf(
  { namespace, name }: Target,
  flags: FlagValues,
  client: DaemonClient,
): Promise<ExposedService> {
  if (namespace !== undefined) return { namespace, service: name };
  const [named, second] = namespacesOf(flags, "namespace");
  if (second !== undefined) {
    throw new LocalizerError(
      "usage",
      `Cannot expose "${name}": --namespace names more than one, want NAMESPACE/${name}`,
    );
  }
  return { namespace: named ?? contextNamespace(await client.ping()), service: name };
}

/** What is left to say when the lines have ended. */
async function startOf(
  service: ExposedService,
  { client, signal }: { readonly client: DaemonClient; readonly signal: AbortSignal },
  { last, request }: { readonly last: ExposeLine | undefined; readonly request: { readonly dryRun?: boolean } },
): Promise<readonly string[]> {
  if (request.dryRun) return ["Nothing was changed"];
  const key = `${service.namespace}/${service.service}`;
  const how = `Give it back with: localizer expose ${key} --stop`;
  if (last?.step === "exposed") return [how];
  const exposure = await findExposure(client, service, signal);
  return [exposure === undefined ? `Service "${key}" is exposed` : leadsSentence(exposure), how];
}

function endOf(key: string, last: ExposeLine | undefined, noWait: boolean): readonly string[] {
  if (last?.step === "ended") return [];
  return [noWait ? `Service "${key}" is given back; its pods may still be starting` : `Service "${key}" is given back`];
}
