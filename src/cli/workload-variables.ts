/** The workload's environment for a local process: into files, or into the program's own environment. */
import { resolve } from "node:path";
import type { DaemonClient } from "../rpc/client.ts";
import type { ExposeLine } from "../rpc/exposing.ts";
import type { EnvironmentAsk, WorkloadEnvironment } from "../rpc/workload-environment.ts";
import { dotenvText } from "./dotenv-text.ts";
import { writePrivate } from "./write-private.ts";

/** Where it shall go. */
export interface EnvironmentFlags {
  readonly dotenv?: string | undefined;
  readonly json?: string | undefined;
  /** Into the program's environment. */
  readonly isForProgram: boolean;
  readonly secrets: boolean;
}

/** What the program gets beside its own. */
export type ProgramVariables = Readonly<Record<string, string>>;

/** These say where things are on a machine, and the workload's are elsewhere. */
const ofThisMachine: readonly string[] = [
  "PATH",
  "HOME",
  "PWD",
  "SHELL",
  "TMPDIR",
  "USER",
  "LOGNAME",
  "LD_LIBRARY_PATH",
];

/** Asks for it and writes the files. Throws as `workloadEnvironment` and `writePrivate`. */
export async function bringEnvironment(
  client: Pick<DaemonClient, "workloadEnvironment">,
  wish: EnvironmentAsk,
  flags: EnvironmentFlags,
  say: (line: Pick<ExposeLine, "level" | "message">) => void,
): Promise<ProgramVariables> {
  const { dotenv, json, isForProgram, secrets } = flags;
  if (dotenv === undefined && json === undefined && !isForProgram) return {};
  const environment = await client.workloadEnvironment({ ...wish, secrets });
  const { source, container, variables, omitted, notices } = environment;
  const files: readonly (readonly [path: string | undefined, text: (from: WorkloadEnvironment) => string])[] = [
    [dotenv, dotenvText],
    [json, jsonText],
  ];
  for (const [path, text] of files) {
    if (path === undefined) continue;
    await writePrivate(resolve(path), text(environment));
    say({ level: "info", message: `Wrote ${counted(variables)} of container "${container}" to "${path}"` });
  }
  for (const message of notices) say({ level: "warn", message });
  for (const { name, reason } of omitted) {
    const what = name === "" ? `Variables of ${source} are` : `Variable ${name} of ${source} is`;
    say({ level: "warn", message: `${what} left out: ${reason}` });
  }
  return isForProgram ? programVariables(environment, say) : {};
}

/** An object with a member for each variable. */
function jsonText({ variables }: WorkloadEnvironment): string {
  return `${JSON.stringify(Object.fromEntries(variables.map(({ name, value }) => [name, value])), undefined, 2)}\n`;
}

function programVariables(
  { variables, container }: WorkloadEnvironment,
  say: (line: Pick<ExposeLine, "level" | "message">) => void,
): ProgramVariables {
  const given = variables.filter(({ name }) => !ofThisMachine.includes(name));
  const kept = variables.flatMap(({ name }) => (ofThisMachine.includes(name) ? [name] : []));
  const besides =
    kept.length === 0 ? "" : `; ${kept.join(", ")} ${kept.length === 1 ? "stays as it is" : "stay as they are"} here`;
  const message = `The program gets ${counted(given)} of container "${container}"${besides}`;
  say({ level: "info", message });
  return Object.fromEntries(given.map(({ name, value }) => [name, value]));
}

function counted({ length }: readonly unknown[]): string {
  return length === 1 ? "1 variable" : `${length} variables`;
}
