/** The door of the package, from outside: installed from the tarball, checked by tsc, run against a daemon. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { cart, ledger, openFakeDaemon, someCluster } from "../rpc/fake-daemon.ts";
import { endLines, exposedCart, saying, startLines } from "../rpc/fake-exposure.ts";
import { servedStats } from "../rpc/fake-stats.ts";
import { type InstalledProject, installIntoProject } from "./installed-project.ts";

const run = promisify(execFile);
const ourModules = join(import.meta.dirname, "../../node_modules");

const program = `
import { type ClusterInfo, connect, type DaemonClient, isLocalizerError, type ListedService } from "localizer/client";
import { prometheusText, type ServiceStats, type StatsChange } from "localizer/client";
import { type ExposeLine, type ExposeRequest, type ListedExposure } from "localizer/client";

const [socketPath] = process.argv.slice(2);
try {
  await using daemon: DaemonClient = await connect(socketPath === undefined ? {} : { socketPath });
  const found: ClusterInfo | undefined = await daemon.ping({ timeoutMs: 5_000, signal: new AbortController().signal });
  const { cluster, notices, services } = await daemon.list();
  const rows: readonly ListedService[] = services;
  const firstPort: number | undefined = rows[0]?.portRows[0]?.port;
  const stable: boolean = await daemon.stable();
  const counted = await daemon.stats();
  const perService: readonly ServiceStats[] = counted.services;
  const bytes: number | undefined = perService[0]?.ports[0]?.bytesUp;
  const metrics: string = prometheusText(counted);
  const changes: StatsChange[] = [];
  for await (const change of daemon.watchStats({ intervalMs: 100 })) {
    changes.push(change);
    break;
  }
  const wish: ExposeRequest = { namespace: "shop", service: "cart", portMaps: ["8080:80"], pod: { mesh: "off" } };
  const lines: ExposeLine[] = [];
  for await (const line of daemon.expose(wish, { timeoutMs: 5_000 })) lines.push(line);
  for await (const line of daemon.stopExpose({ namespace: "shop", service: "cart" })) lines.push(line);
  const { exposures }: { readonly exposures: readonly ListedExposure[] } = await daemon.list();
  const totals = metrics.split("\\n").filter((line) => line.startsWith("localizer_connections_total{"));
  console.log(JSON.stringify({ found, cluster, notices, rows, firstPort, stable, bytes, totals, changes, lines, exposures }));
} catch (error) {
  if (!isLocalizerError(error)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
`;

/** Each line is wrong, and tsc has to say so. */
const wrong = `
import { connect } from "localizer/client";
const daemon = await connect({ socket: "/run/s" });
const { services } = await daemon.list();
services[0]?.portRows.at(0)?.port.toUpperCase();
services.push();
await daemon.list({ timeout: 3 });
daemon.watchStats().services;
for await (const { removed } of daemon.watchStats({ interval: 3 })) removed.length;
daemon.expose({ service: "cart" });
daemon.stopExpose({ namespace: "shop", service: "cart", wait: true });
`;

const tsconfig = {
  compilerOptions: {
    ...{ target: "es2024", lib: ["esnext"], types: ["node"], module: "nodenext", strict: true, noEmit: true },
    // The package's types have to hold for whoever checks everything.
    skipLibCheck: false,
  },
};

describe("localizer/client in a project that installed the package", () => {
  let project: InstalledProject;

  before(() => {
    project = installIntoProject();
    project.write("program.ts", program);
    symlinkSync(join(ourModules, "@types"), join(project.folder, "node_modules/@types"));
  });
  after(() => project[Symbol.dispose]());

  const start = (env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
    run(process.execPath, ["program.ts", ...args], { cwd: project.folder, env: { ...process.env, ...env } });
  const tsc = () => run(process.execPath, [join(ourModules, "typescript/bin/tsc"), "-p", "."], { cwd: project.folder });

  it("is typed: a right program passes, and every mistake is found", async () => {
    project.write("tsconfig.json", JSON.stringify({ ...tsconfig, files: ["program.ts"] }));
    await tsc();
    project.write("wrong.ts", wrong);
    project.write("tsconfig.json", JSON.stringify({ ...tsconfig, files: ["wrong.ts"] }));
    await assert.rejects(tsc(), ({ stdout }: { stdout: string }) => {
      const lines = [...stdout.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line));
      assert.deepEqual(lines, [3, 5, 6, 7, 8, 9, 10, 11], stdout);
      return true;
    });
  });

  it("lists Services, cluster and notices, by the socket that is named or that the environment names", async () => {
    const web = servedStats("shop", "web");
    const notices = () => ["The API server cannot be reached"];
    await using daemon = await openFakeDaemon({
      ...{ notices, stats: () => [web], exposures: () => [exposedCart] },
      expose: () => saying(startLines),
      stopExpose: () => saying(endLines),
    });
    const cluster = someCluster.cluster();
    const expected = {
      ...{ found: cluster, cluster, notices: ["The API server cannot be reached"] },
      ...{ rows: [cart, ledger], firstPort: 80, stable: true, bytes: 78 },
      totals: ['localizer_connections_total{namespace="shop",service="web",port="80"} 1'],
      changes: JSON.parse(JSON.stringify([{ services: [web], removed: [] }])),
      ...{ lines: [...startLines, ...endLines], exposures: [exposedCart] },
    };
    const { socketPath } = daemon;
    assert.deepEqual(JSON.parse((await start({}, socketPath)).stdout), expected);
    assert.deepEqual(JSON.parse((await start({ LOCALIZER_SOCKET: socketPath })).stdout), expected);
  });

  it("says no-daemon when nobody answers", async () => {
    const socketPath = join(project.folder, "none");
    assert.deepEqual(JSON.parse((await start({}, socketPath)).stdout), {
      code: "no-daemon",
      message: `No daemon answers on "${socketPath}"; start it with \`localizer\``,
    });
  });

  it("opens no other door", async () => {
    const inside = 'import("localizer/dist/src/errors.js").catch(({ code }) => console.log(code))';
    const { stdout } = await run(process.execPath, ["-e", inside], { cwd: project.folder });
    assert.equal(stdout.trim(), "ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});
