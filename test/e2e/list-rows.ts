/** What `localizer list -o json` says, as far as tests ask. */
import assert from "node:assert/strict";
import { at, listAt, textAt } from "../../src/kube/json.ts";
import type { LocalizerRun } from "./localizer-run.ts";

/** One row. */
export interface ListedRow {
  readonly status: string;
  readonly statusReason: string;
  readonly ip: string;
  readonly endpoint: string;
  readonly pods: readonly { readonly hostname: string; readonly ip: string }[];
}

/** The rows of a namespace, by name. Throws when `list` fails. */
export async function listRows(localizer: LocalizerRun, namespace: string): Promise<ReadonlyMap<string, ListedRow>> {
  const { code, stdout, stderr } = await localizer.cli("list", "-o", "json", "--namespace", namespace);
  assert.equal(code, 0, stderr);
  const parsed: unknown = JSON.parse(stdout);
  return new Map(listAt(parsed, "services").map((row) => [textAt(row, "name") ?? "", rowOf(row)]));
}

/** What `list -o json` says of the daemon as a whole. */
export async function listNotices(localizer: LocalizerRun): Promise<readonly string[]> {
  const { code, stdout, stderr } = await localizer.cli("list", "-o", "json");
  assert.equal(code, 0, stderr);
  const parsed: unknown = JSON.parse(stdout);
  return listAt(parsed, "notices").map(String);
}

function rowOf(row: unknown): ListedRow {
  return {
    status: String(at(row, "status")),
    statusReason: String(at(row, "statusReason")),
    ip: String(at(row, "ip")),
    endpoint: String(at(row, "endpoint")),
    pods: listAt(row, "pods").map((pod) => ({ hostname: String(at(pod, "hostname")), ip: String(at(pod, "ip")) })),
  };
}
