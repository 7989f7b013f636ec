/** What a kubeconfig says about a credential plug-in (`exec`), and what the plug-in is told. Pure. */
import { isAbsolute, join } from "node:path";
import { LocalizerError } from "../errors.ts";
import { at, flagAt, listAt } from "./json.ts";
import { type KubeconfigEntry, wordAt } from "./kubeconfig-file.ts";

/** The versions of client.authentication.k8s.io that are spoken; v1alpha1 is gone from kubectl since 1.24. */
export const execApiVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] as const;

/** Whether a plug-in gets the terminal as its stdin. */
export type InteractiveMode = "Never" | "IfAvailable" | "Always";

/** A credential plug-in, checked. */
export interface ExecPlugin {
  readonly apiVersion: (typeof execApiVersions)[number];
  /** As written, for sentences. */
  readonly name: string;
  /** With a path separator: absolute. Without: to be found on PATH. */
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the user's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly interactiveMode: InteractiveMode;
  /** What to do when the command is missing; may be several lines. */
  readonly installHint: string | undefined;
  /** What the plug-in is told about the cluster; undefined when it asked for nothing. */
  readonly cluster: object | undefined;
}

const interactiveModes: readonly string[] = ["Never", "IfAvailable", "Always"] satisfies readonly InteractiveMode[];

/**
 * Reads `exec` of the user. Checked as client-go does (tools/clientcmd/validation.go, api/v1/defaults.go).
 * @throws LocalizerError `usage` naming the user and the field
 */
export function parseExecPlugin(userName: string, user: KubeconfigEntry, cluster: object): ExecPlugin {
  const exec = at(user.value, "exec");
  const refuse = (fault: string): never => {
    throw new LocalizerError("usage", `Cannot log in as "${userName}": its exec plug-in ${fault}`);
  };
  const name = wordAt(exec, "command") ?? refuse("names no command");
  const apiVersion = execApiVersions.find((version) => version === wordAt(exec, "apiVersion"));
  if (apiVersion === undefined) {
    const given = wordAt(exec, "apiVersion");
    const known = execApiVersions.map((version) => `"${version}"`).join(" or ");
    const hint = `write ${known}, or let the tool that wrote the kubeconfig write it anew`;
    return refuse(
      `"${name}" ${given === undefined ? "names no apiVersion" : `has the apiVersion "${given}"`}; ${hint}`,
    );
  }
  const mode = wordAt(exec, "interactiveMode") ?? (apiVersion.endsWith("/v1beta1") ? "IfAvailable" : undefined);
  if (!isInteractiveMode(mode)) {
    const given = mode === undefined ? "names no interactiveMode" : `has the interactiveMode "${mode}"`;
    return refuse(`"${name}" ${given}; write one of ${interactiveModes.join(", ")}`);
  }
  const env = listAt(exec, "env").map((entry) => {
    const variable = wordAt(entry, "name") ?? refuse(`"${name}" has an env entry without a name`);
    return [variable, wordAt(entry, "value") ?? ""] as const;
  });
  return {
    apiVersion,
    name,
    command: name.includes("/") && !isAbsolute(name) ? join(user.folder, name) : name,
    args: listAt(exec, "args").map((arg) => wordAt({ arg }, "arg") ?? ""),
    env: Object.fromEntries(env),
    interactiveMode: mode,
    installHint: wordAt(exec, "installHint"),
    cluster: flagAt(exec, "provideClusterInfo") === true ? cluster : undefined,
  };
}

/** The value of KUBERNETES_EXEC_INFO, by which a plug-in learns what is wanted. */
export function execInfo({ apiVersion, cluster }: ExecPlugin, interactive: boolean): string {
  const spec = { ...(cluster === undefined ? {} : { cluster }), interactive };
  return JSON.stringify({ kind: "ExecCredential", apiVersion, spec });
}

/** `spec.cluster` as client-go fills it (rest/exec.go): the entry's fields, with the authority's certificate itself. */
export function execClusterInfo(cluster: unknown, ca: Buffer | undefined): object {
  const texts = ["server", "tls-server-name", "proxy-url"].flatMap((name) => {
    const text = wordAt(cluster, name);
    return text === undefined ? [] : [[name, text] as const];
  });
  const flags = ["insecure-skip-tls-verify", "disable-compression"].filter((name) => flagAt(cluster, name) === true);
  const extensions = listAt(cluster, "extensions");
  const config = extensions.find((entry) => wordAt(entry, "name") === "client.authentication.k8s.io/exec");
  return {
    ...Object.fromEntries(texts),
    ...Object.fromEntries(flags.map((name) => [name, true])),
    ...(ca === undefined ? {} : { "certificate-authority-data": ca.toString("base64") }),
    config: at(config, "extension") ?? null,
  };
}

function isInteractiveMode(word: string | undefined): word is InteractiveMode {
  return word !== undefined && interactiveModes.includes(word);
}
