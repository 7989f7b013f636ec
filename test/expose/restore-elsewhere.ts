/** `localizer restore` as from a machine on which nothing was ever exposed. */
import { join } from "node:path";
import { type ProgramEnd, runProgram } from "../e2e/by-name.ts";
import { fromSources } from "../e2e/localizer-run.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import type { ExposePlace } from "./expose-place.ts";

/** Runs it for the place's namespace, to its end. */
export async function restoreFromElsewhere({ cluster, namespace }: ExposePlace): Promise<ProgramEnd> {
  using folder = temporaryFolder();
  const [program = "", ...words] = fromSources;
  const state = `--state-dir=${join(folder.path, "state")}`;
  const flags = [`--kubeconfig=${cluster.kubeconfig}`, state, `--namespace=${namespace}`];
  const env = { ...process.env, TMPDIR: folder.path, XDG_RUNTIME_DIR: "" };
  return await runProgram(program, [...words, "restore", ...flags], { env, timeoutMs: 270_000 });
}
