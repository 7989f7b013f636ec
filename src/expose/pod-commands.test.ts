import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, test } from "node:test";
import { port } from "../model/port.ts";
import { probeCommand, startCommand } from "./pod-commands.ts";

const folder = mkdtempSync(join(tmpdir(), "localizer-pod-commands-"));
after(() => rmSync(folder, { recursive: true }));

function run([program = "", ...args]: readonly string[], PATH = process.env.PATH) {
  const { status, stdout, stderr } = spawnSync(program, args, { env: { PATH }, encoding: "utf8", timeout: 10_000 });
  return { status, stdout, stderr };
}

/** A program that says how it was called, and knows the option or not. */
function fakeServer(name: string, knowsPenalties: boolean): string {
  const path = join(folder, name);
  const test = `[ "$1" = -t ] && exit ${knowsPenalties ? 0 : 255}`;
  writeFileSync(path, `#!/bin/sh\n${test}\necho ${name} "$@"\n`, { mode: 0o755 });
  return path;
}

test("startCommand() turns penalties off where sshd knows them", () => {
  const { stdout } = run(startCommand([fakeServer("new", true)]));
  assert.equal(stdout, "new -D -e -f /etc/localizer/sshd_config -o PerSourcePenalties=no\n");
});

test("startCommand() does not name penalties to an sshd that would not start", () => {
  const { stdout } = run(startCommand([fakeServer("old", false)]));
  assert.equal(stdout, "old -D -e -f /etc/localizer/sshd_config\n");
});

test("startCommand() takes the first server that is there", () => {
  const command = startCommand([join(folder, "none"), fakeServer("first", true), fakeServer("second", true)]);
  assert.match(run(command).stdout, /^first /);
});

test("startCommand() says that the image has no server", () => {
  assert.deepEqual(run(startCommand([join(folder, "none")])), {
    status: 127,
    stdout: "",
    stderr: "no sshd in this image\n",
  });
});

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const rest = "00000000:00000000 00:00000000 00000000 65532        0 1 1 0000000000000000 100 0 0 10 0";
const row = (local: string, remote: string, state: string) => `   0: ${local} ${remote} ${state} ${rest}`;
const [any, any6] = ["00000000", "0".repeat(32)];

/** The kernel's tables with these rows, and what the probe of these ports comes to. */
function probe(path: string | undefined, ports: readonly number[], tcp: readonly string[], tcp6?: readonly string[]) {
  const tables = [join(folder, "tcp"), join(folder, "tcp6")] as const;
  writeFileSync(tables[0], `${[head, ...tcp].join("\n")}\n`);
  rmSync(tables[1], { force: true });
  if (tcp6 !== undefined) writeFileSync(tables[1], `${[head, ...tcp6].join("\n")}\n`);
  return run(probeCommand(ports.map(port), tables), path);
}

for (const [name, path] of [
  ["with grep", process.env.PATH],
  ["without grep", folder],
] as const) {
  describe(`probeCommand() ${name}`, () => {
    it("succeeds when every port has a listener, of either kind", () => {
      const http = row(`${any}:0050`, `${any}:0000`, "0A");
      const other = row(`${any6}:1F90`, `${any6}:0000`, "0A");
      assert.deepEqual(probe(path, [80, 8080], [http], [other]), { status: 0, stdout: "", stderr: "" });
    });

    it("fails when one has none", () => {
      assert.equal(probe(path, [80, 8080], [row(`${any}:0050`, `${any}:0000`, "0A")], []).status, 1);
    });

    it("takes a connection for no listener", () => {
      const connection = row("0100007F:1F90", "0100007F:C350", "01");
      assert.equal(probe(path, [8080], [connection], []).status, 1);
    });

    it("takes the far end's port for none of ours", () => {
      assert.equal(probe(path, [8080], [row("0100007F:C350", "0100007F:1F90", "01")], []).status, 1);
    });

    it("does without a table for IPv6", () => {
      assert.deepEqual(probe(path, [8080], [row(`${any}:1F90`, `${any}:0000`, "0A")]), {
        status: 0,
        stdout: "",
        stderr: "",
      });
    });
  });
}
