/** The flags of `localizer expose`: what help says of them, and what is wished by them. Pure. */
import { LocalizerError } from "../errors.ts";
import type { ExposeRequest } from "../rpc/exposing.ts";
import type { FlagHelp } from "./flag-help.ts";
import { type FlagValues, isOn, many, one } from "./flag-values.ts";
import type { EnvironmentFlags } from "./workload-variables.ts";

/** Those that say yes to something, or name ports, never come from the environment: a forgotten variable must not expose anything. */
export const exposeFlags: Readonly<Record<string, FlagHelp>> = {
  map: {
    type: "string",
    ...{ multiple: true, value: "LOCAL:REMOTE", env: false },
    text: "which port here gets which port of the Service; may be repeated; default the same number as the pod's",
  },
  stop: { type: "boolean", env: false, text: "give the Service back" },
  "no-wait": { type: "boolean", env: false, text: "giving back, do not wait until the workload is ready again" },
  foreground: { type: "boolean", env: false, text: "stay, and give the Service back with Ctrl-C" },
  "dry-run": { type: "boolean", env: false, text: "say what would be done, and do nothing" },
  yes: { type: "boolean", short: "y", env: false, text: "go ahead in a protected context (production)" },
  "take-over": {
    type: "boolean",
    env: false,
    text: "take the place of somebody who has given no sign of life for too long",
  },
  "allow-volume-loss": { type: "boolean", env: false, text: "go ahead although scaling down deletes volumes" },
  "allow-partial": {
    type: "boolean",
    env: false,
    text: "go ahead although pods go, too, that the Service does not lead to",
  },
  "env-file": {
    type: "string",
    ...{ value: "FILE", env: false },
    text: "write the workload's environment there, as Docker Compose reads it; only you may read the file",
  },
  "env-json": { type: "string", value: "FILE", env: false, text: "the same as a JSON object" },
  env: { type: "boolean", env: false, text: 'give the workload\'s environment to the program after "--"' },
  "env-secrets": { type: "boolean", env: false, text: "with what comes from Secrets, which is left out else" },
  "env-all": {
    type: "boolean",
    env: false,
    text: "with what could have something run on this machine (NODE_OPTIONS, LD_PRELOAD, BASH_ENV, …), which is left out else",
  },
  image: { type: "string", value: "IMAGE", text: "the image with sshd for the pod that stands in" },
  "pull-secret": { type: "string", multiple: true, value: "SECRET", text: "for that image; may be repeated" },
  "pod-label": { type: "string", multiple: true, value: "KEY=VALUE", text: "a label of that pod; may be repeated" },
  "pod-annotation": {
    type: "string",
    ...{ multiple: true, value: "KEY=VALUE", env: false },
    text: "an annotation of that pod; may be repeated",
  },
  mesh: {
    type: "string",
    value: "WORD",
    text: "off: a service mesh shall leave that pod alone; inherit: as its namespace has it; default off",
    choices: ["off", "inherit"],
  },
  "cpu-request": { type: "string", value: "QUANTITY", text: "what that pod asks for, as 50m" },
  "cpu-limit": { type: "string", value: "QUANTITY", text: "what it gets at most" },
  "memory-request": { type: "string", value: "QUANTITY", text: "what it asks for, as 64Mi" },
  "memory-limit": { type: "string", value: "QUANTITY", text: "what it gets at most" },
};

/** What is to be done: a start, one that stays, an end. */
export type ExposeMode = "start" | "stay" | "stop";

/** Those that a start alone takes. */
const startSwitches = ["dry-run", "yes", "take-over", "allow-volume-loss", "allow-partial"] as const;
/** Those that bring the workload's environment. */
const envFlags = ["env-file", "env-json", "env"] as const;
/** Those that say how much of it. */
const envExtras = ["env-secrets", "env-all"] as const;
/** Those that have a value. */
const valued: readonly string[] = ["map", "env-file", "env-json"];

/** @throws LocalizerError `usage` for flags that say different things */
export function exposeMode(flags: FlagValues, hasProgram: boolean): ExposeMode {
  const isGiven = (name: string) => (valued.includes(name) ? flags.has(name) : isOn(flags, name));
  const refuse = (first: string, second: string): never => {
    throw new LocalizerError("usage", `Cannot use ${first} together with ${second}`);
  };
  const program = 'a program after "--"';
  if (isGiven("stop")) {
    for (const name of ["map", ...startSwitches, "foreground", ...envFlags, ...envExtras]) {
      if (isGiven(name)) refuse("--stop", `--${name}`);
    }
    if (hasProgram) refuse("--stop", program);
    return "stop";
  }
  if (isGiven("dry-run")) {
    for (const name of ["foreground", ...envFlags]) if (isGiven(name)) refuse("--dry-run", `--${name}`);
    if (hasProgram) refuse("--dry-run", program);
  }
  if (isGiven("env") && !hasProgram) throw new LocalizerError("usage", `Cannot use --env without ${program}`);
  const extra = envExtras.find(isGiven);
  if (extra !== undefined && !envFlags.some(isGiven)) {
    const places = envFlags.map((name) => `--${name}`).join(", ");
    throw new LocalizerError("usage", `Cannot use --${extra} alone: want one of ${places} with it`);
  }
  const stays = isGiven("foreground") || hasProgram;
  if (isGiven("no-wait") && !stays) {
    throw new LocalizerError(
      "usage",
      "Cannot use --no-wait for a start: it is about --stop, --foreground or a program",
    );
  }
  return stays ? "stay" : "start";
}

/** @throws LocalizerError `usage` for a value that cannot be used. What the ports mean only the Service knows. */
export function exposeRequest(flags: FlagValues): Omit<ExposeRequest, "namespace" | "service"> {
  return {
    portMaps: many(flags, "map"),
    dryRun: isOn(flags, "dry-run"),
    yes: isOn(flags, "yes"),
    takeOver: isOn(flags, "take-over"),
    allowVolumeLoss: isOn(flags, "allow-volume-loss"),
    allowPartial: isOn(flags, "allow-partial"),
    pod: {
      image: one(flags, "image") ?? "",
      pullSecrets: many(flags, "pull-secret"),
      labels: pairs("pod-label", many(flags, "pod-label")),
      // Any text may stand in one, a comma too.
      annotations: pairs("pod-annotation", flags.get("pod-annotation") ?? []),
      mesh: meshOf(one(flags, "mesh") ?? ""),
      cpuRequest: one(flags, "cpu-request") ?? "",
      cpuLimit: one(flags, "cpu-limit") ?? "",
      memoryRequest: one(flags, "memory-request") ?? "",
      memoryLimit: one(flags, "memory-limit") ?? "",
    },
  };
}

/** Where the workload's environment shall go. */
export function environmentFlags(flags: FlagValues): EnvironmentFlags {
  return {
    dotenv: one(flags, "env-file"),
    json: one(flags, "env-json"),
    isForProgram: isOn(flags, "env"),
    secrets: isOn(flags, "env-secrets"),
    isAll: isOn(flags, "env-all"),
  };
}

function pairs(flag: string, texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new LocalizerError("usage", `Cannot use "${text}" for --${flag}: want KEY=VALUE`);
    }),
  );
}

function meshOf(text: string): "" | "off" | "inherit" {
  if (text === "" || text === "off" || text === "inherit") return text;
  throw new LocalizerError("usage", `Cannot use "${text}" for --mesh: want off or inherit`);
}
