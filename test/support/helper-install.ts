/**
 * The program as it is installed, as far as the helper goes: compiled, in a folder that everybody can read, with a Node of its
 * own, because the clone may lie below a closed folder. In place of the cli it has test/helper/remote-part.ts.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** Where things lie. */
export interface HelperInstall extends Disposable {
  /** Readable by everybody, writable by root. */
  readonly folder: string;
  readonly node: string;
  /** bin/localizer.js. */
  readonly bin: string;
}

const project = join(import.meta.dirname, "../..");

/** Compiles and copies. */
export function installHelper(): HelperInstall {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  chmodSync(folder, 0o755);
  const files = ["bin/localizer.ts", "src/helper/main.ts", "src/helper/launch-sudo.ts", "test/helper/remote-part.ts"];
  const config = {
    extends: join(project, "tsconfig.build.json"),
    compilerOptions: {
      outDir: folder,
      rootDir: project,
      declaration: false,
      typeRoots: [join(project, "node_modules/@types")],
    },
    include: [],
    files: files.map((file) => join(project, file)),
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  compile(join(folder, "tsconfig.json"));
  writeFileSync(join(folder, "package.json"), `{ "type": "module" }\n`);
  mkdirSync(join(folder, "src/cli"), { recursive: true });
  writeFileSync(join(folder, "src/cli/main.js"), `export { main } from "../../test/helper/remote-part.js";\n`);
  const node = join(folder, "node");
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  return { folder, node, bin: join(folder, "bin/localizer.js"), [Symbol.dispose]: () => temporary[Symbol.dispose]() };
}

function compile(config: string): void {
  const tsc = join(project, "node_modules/.bin/tsc");
  try {
    execFileSync(process.execPath, [tsc, "-p", config], { cwd: dirname(config), stdio: "pipe" });
  } catch {
    // Types are another check's business; what was emitted is what runs here.
  }
}
