/** The helper's program with a bare socket as its channel: a test writes what it likes and acknowledges nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { clientHello } from "../../src/helper/protocol.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** The helper, greeted. Disposing it closes the channel and waits for its end. */
export interface RawHelper extends AsyncDisposable {
  readonly channel: Socket;
  readonly hosts: string;
  /** What it wrote to standard error so far. */
  readonly stderr: () => string;
  /** Its exit code. */
  readonly end: Promise<unknown>;
  /** Sends and waits for the next line. */
  ask(message: object): Promise<unknown>;
}

/** Starts it with a hosts file, a link and a state folder of its own. */
export async function startRawHelper(range: string): Promise<RawHelper> {
  const folder = temporaryFolder();
  const hosts = join(folder.path, "hosts");
  writeFileSync(hosts, "127.0.0.1 localhost\n");
  const args = [
    join(import.meta.dirname, "../../src/helper/main.ts"),
    `--hosts-file=${hosts}`,
    `--socket-link=${join(folder.path, "link")}`,
    `--state-dir=${join(folder.path, "state")}`,
    `--range=${range}`,
  ];
  const { SUDO_UID: _, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: { ...env, NODE_CHANNEL_FD: "3", NODE_CHANNEL_SERIALIZATION_MODE: "json" },
  });
  const channel = child.stdio[3];
  if (!(channel instanceof Socket)) throw new Error("no channel");
  channel.on("error", () => {});
  let stderr = "";
  child.stderr?.on("data", (bytes) => {
    stderr += bytes;
  });
  const lines = createInterface({ input: channel })[Symbol.asyncIterator]();
  const end = once(child, "close").then(([code]): unknown => code);
  const ask = async (message: object): Promise<unknown> => {
    channel.write(`${JSON.stringify(message)}\n`);
    return JSON.parse((await lines.next()).value ?? "null");
  };
  await ask(clientHello());
  return {
    channel,
    hosts,
    stderr: () => stderr,
    end,
    ask,
    async [Symbol.asyncDispose]() {
      channel.destroy();
      await end;
      folder[Symbol.dispose]();
    },
  };
}
