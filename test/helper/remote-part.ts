/**
 * In place of the cli: a user's part that does what JSON lines on its standard input say and answers with JSON lines, so that
 * a test can see what such a process can and cannot do. It ends with exit code 7 when told, 9 when its helper is gone.
 */
import { readFileSync, statSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { LocalizerError } from "../../src/errors.ts";
import type { Helper } from "../../src/helper/helper-role.ts";
import { launchHelperThroughSudo } from "../../src/helper/launch-sudo.ts";
import { helperOfParent } from "../../src/helper/parent.ts";
import { hostName } from "../../src/model/host-name.ts";
import { addressAt, isLoopbackAddress, parseLoopbackRange } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";
import type { Listener } from "../../src/net/listen.ts";

const listeners: Listener[] = [];

type Words = readonly (string | number)[];

/** Serves standard input. */
export async function main(argv: readonly string[]): Promise<number> {
  say({ status: status(), env: process.env });
  if (argv.some((word) => word === "list")) return 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => say({ signal }));
  const helper = await findHelper(argv);
  if (helper === undefined) return 3;
  say({ helper: helper.identity });
  const gone = new Promise<"gone">((resolve) => {
    helper.gone.addEventListener("abort", () => {
      say({ gone: LocalizerError.from(helper.gone.reason).message });
      resolve("gone");
    });
  });
  const lines = createInterface({ input: process.stdin });
  const work = serve(helper, lines);
  const end = await Promise.race([gone, work]);
  await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()));
  lines.close();
  process.stdin.destroy();
  return end === "gone" ? 9 : 7;
}

async function findHelper(argv: readonly string[]): Promise<Helper | undefined> {
  try {
    return (await helperOfParent()) ?? (await throughSudo(argv));
  } catch (error) {
    say({ noHelper: LocalizerError.from(error).code, message: LocalizerError.from(error).message });
    return undefined;
  }
}

async function throughSudo(argv: readonly string[]): Promise<Helper> {
  const text = { type: "string" } as const;
  const options = { "hosts-file": text, socket: text, "ip-cidr": text, "root-state-dir": text };
  const { values } = parseArgs({ args: [...argv], options, strict: false });
  const of = (value: unknown) => (typeof value === "string" ? value : undefined);
  const { TEST_SUDO: sudo, TEST_DETACH: detach } = process.env;
  return await launchHelperThroughSudo({
    hostsFile: of(values["hosts-file"]),
    socketLink: of(values.socket),
    range: of(values["ip-cidr"]),
    stateDir: of(values["root-state-dir"]),
    ...(sudo === undefined ? {} : { sudo }),
    detach: detach !== undefined,
  });
}

async function serve(helper: Helper, lines: AsyncIterable<string>): Promise<void> {
  for await (const line of lines) {
    // The test's own words.
    const [verb, ...words] = JSON.parse(line) as [string, ...(string | number)[]];
    if (verb === "end") {
      await helper[Symbol.asyncDispose]();
      say({ end: true });
      return;
    }
    try {
      say({ done: (await perform(helper, verb, words)) ?? null });
    } catch (error) {
      say({ failed: LocalizerError.from(error).code, message: LocalizerError.from(error).message });
    }
  }
}

async function perform(helper: Helper, verb: string, words: Words): Promise<unknown> {
  const [first, second] = words;
  const address = String(first);
  switch (verb) {
    case "listen":
      if (!isLoopbackAddress(address)) throw new TypeError(address);
      listeners.push(
        await helper.listen({ address, port: port(second) }, (socket) =>
          socket.end(`hello from ${process.getuid?.()}`),
        ),
      );
      return undefined;
    case "listen-on":
      // One after the other until this process ends.
      void listenOn(helper);
      return undefined;
    case "hosts":
      if (!isLoopbackAddress(address)) throw new TypeError(address);
      return await helper.writeHosts([{ address, names: [hostName(String(second))] }]);
    case "link":
      return await helper.linkSocket(address);
    case "runtime-dir": {
      const path = await helper.prepareRuntimeDir();
      const { uid, mode } = statSync(path);
      return { path, uid, mode: mode & 0o7777 };
    }
    case "raw":
      // Past Node, on the channel itself, which is the first descriptor behind the standard ones.
      writeSync(3, String(first));
      return undefined;
    default:
      throw new TypeError(verb);
  }
}

async function listenOn(helper: Helper): Promise<void> {
  const range = parseLoopbackRange("127.77.0.0/16");
  for (let index = 1; ; index = (index % 60_000) + 1) {
    const where = { address: addressAt(range, index), port: port(18_300) };
    const listener = await helper.listen(where, (socket) => socket.end());
    await listener[Symbol.asyncDispose]();
  }
}

/** Ids and capabilities as the kernel has them. */
function status(): Record<string, string> {
  const lines = readFileSync("/proc/self/status", "utf8").split("\n");
  const pairs = lines
    .map((line) => line.split(":\t"))
    .filter(([name = ""]) => /^(Pid|Uid|Gid|Groups|Cap|NoNew)/.test(name));
  return Object.fromEntries(pairs.map(([name = "", value = ""]) => [name, value.trim().replaceAll("\t", " ")]));
}

function say(fact: object): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}
