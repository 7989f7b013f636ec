/** The workload's environment for a local process: into files, or into the program's own environment. */
import { resolve } from "node:path";
import type { DaemonClient } from "../rpc/client.ts";
import type { ExposeLine } from "../rpc/exposing.ts";
import type { EnvironmentAsk, WorkloadEnvironment } from "../rpc/workload-environment.ts";
import { dotenvText } from "./dotenv-text.ts";
import { isGoverning, isPlace } from "./governing-variables.ts";
import { writePrivate } from "./write-private.ts";

/** Where it shall go. */
export interface EnvironmentFlags {
  readonly dotenv?: string | undefined;
  readonly json?: string | undefined;
  /** Into the program's environment. */
  readonly isForProgram: boolean;
  readonly secrets: boolean;
  /** With what could have something run on this machine. */
  readonly isAll: boolean;
}

/** What the program gets beside its own. */
export type ProgramVariables = Readonly<Record<string, string>>;

/** Asks for it and writes the files. Throws as `workloadEnvironment` and `writePrivate`. */
export async function bringEnvironment(
  client: Pick<DaemonClient, "workloadEnvironment">,
  wish: EnvironmentAsk,
  flags: EnvironmentFlags,
  say: (line: Pick<ExposeLine, "level" | "message">) => void,
): Promise<ProgramVariables> {
  const { dotenv, json, isForProgram, secrets, isAll } = flags;
  if (dotenv === undefined && json === undefined && !isForProgram) return {};
  const environment = await client.workloadEnvironment({ ...wish, secrets });
  const { source, container, variables, omitted, notices } = environment;
  const isInert = ({ name }: { readonly name: string }) => !isAll && (isPlace(name) || isGoverning(name));
  const written = variables.filter((variable) => !isInert(variable));
  const files: readonly (readonly [path: string | undefined, text: string])[] = [
    [dotenv, dotenvText(environment, isInert)],
    [json, jsonText(written)],
  ];
  for (const [path, text] of files) {
    if (path === undefined) continue;
    await writePrivate(resolve(path), text);
    say({ level: "info", message: `Wrote ${counted(written)} of container "${container}" to "${path}"` });
  }
  for (const message of notices) say({ level: "warn", message });
  for (const { name, reason } of omitted) {
    const what = name === "" ? `Variables of ${source} are` : `Variable ${name} of ${source} is`;
    say({ level: "warn", message: `${what} left out: ${reason}` });
  }
  const governing = isAll ? [] : variables.filter(({ name }) => isGoverning(name)).map(({ name }) => name);
  if (governing.length > 0) {
    const [subject, they] =
      governing.length === 1 ? ["Variable", "is left out: it"] : ["Variables", "are left out: they"];
    const names = `${subject} ${governing.join(", ")} of ${source}`;
    say({
      level: "warn",
      message: `${names} ${they} could have something run on this machine; --env-all takes that risk`,
    });
  }
  return isForProgram ? programVariables(environment, isAll, say) : {};
}

/** An object with a member for each variable. */
function jsonText(variables: WorkloadEnvironment["variables"]): string {
  return `${JSON.stringify(Object.fromEntries(variables.map(({ name, value }) => [name, value])), undefined, 2)}\n`;
}

function programVariables(
  { variables, container }: WorkloadEnvironment,
  isAll: boolean,
  say: (line: Pick<ExposeLine, "level" | "message">) => void,
): ProgramVariables {
  const given = variables.filter(({ name }) => !isPlace(name) && (isAll || !isGoverning(name)));
  const kept = variables.flatMap(({ name }) => (isPlace(name) ? [name] : []));
  const besides =
    kept.length === 0 ? "" : `; ${kept.join(", ")} ${kept.length === 1 ? "stays as it is" : "stay as they are"} here`;
  const message = `The program gets ${counted(given)} of container "${container}"${besides}`;
  say({ level: "info", message });
  return Object.fromEntries(given.map(({ name, value }) => [name, value]));
}

function counted({ length }: readonly unknown[]): string {
  return length === 1 ? "1 variable" : `${length} variables`;
}
