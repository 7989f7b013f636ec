/** localizer as users run it: compiled as scripts/build.ts does, in a folder of its own, with a Node that nobody else runs. */
import { spawnSync } from "node:child_process";
import { constants, existsSync } from "node:fs";
import { chmod, copyFile, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const project = join(import.meta.dirname, "..", "..");

/** Disposing removes the folder. */
export interface BuiltPackage extends AsyncDisposable {
  /** A copy, so that the pages of its text are shared by localizer's processes alone, and PSS counts them in full. */
  readonly node: string;
  /** bin/localizer.js */
  readonly program: string;
}

/** Compiles and copies. Throws when it does not compile. */
export async function buildPackage(): Promise<BuiltPackage> {
  await using all = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "localizer-bench-package-"));
  all.defer(() => rm(folder, { recursive: true, force: true }));
  // What it is built from must not be writable by others, or the helper says so; and a user's part has to read it.
  await chmod(folder, 0o755);
  compile(join(folder, "dist"));
  const node = join(folder, "node");
  await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
  await chmod(node, 0o755);
  await copyFile(join(project, "package.json"), join(folder, "package.json"));
  await symlink(join(project, "node_modules"), join(folder, "node_modules"));
  const program = join(folder, "dist", "bin", "localizer.js");
  if (!existsSync(program)) throw new Error(`The compiler made no "${program}"`);
  const works = all.move();
  return { node, program, [Symbol.asyncDispose]: () => works.disposeAsync() };
}

function compile(outDir: string): void {
  const tsc = join(project, "node_modules", ".bin", "tsc");
  const args = ["-p", "tsconfig.build.json", "--outDir", outDir, "--declaration", "false"];
  const { status, stdout, error } = spawnSync(tsc, args, { cwd: project, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot compile localizer: ${error?.message ?? stdout.slice(0, 2_000)}`);
}
