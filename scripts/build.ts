/** Compiles bin and src to dist, as they are published: JavaScript and types, without tests. */
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
const tsc = join(root, "node_modules/.bin/tsc");
const { status } = spawnSync(tsc, ["-p", "tsconfig.build.json"], { cwd: root, stdio: ["ignore", 2, 2] });
if (status === 0) chmodSync(join(root, "dist/bin/localizer.js"), 0o755);
process.exitCode = status ?? 1;
