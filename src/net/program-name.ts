/** What a person calls a running program, from its command line: of an interpreter also what it runs. Pure. */
import { basename } from "node:path";

/** How an interpreter's options are read, as far as it takes to find the script. */
interface Interpreter {
  /** Options that are followed by a value of their own. */
  readonly valued: readonly string[];
  /** Options that are followed by what is run. */
  readonly runs?: readonly string[];
  /** Options that are followed by the program's text: there is no script. */
  readonly inline?: readonly string[];
  /** Words before the script that are none. */
  readonly commands?: readonly string[];
}

const interpreters: readonly (readonly [name: RegExp, how: Interpreter])[] = [
  [
    /^node(js)?\d*$/,
    {
      valued: ["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file"],
      inline: ["-e", "--eval", "-p", "--print", "-pe"],
    },
  ],
  [/^(python|pypy)[\d.]*$/, { valued: ["-W", "-X"], runs: ["-m"], inline: ["-c"] }],
  [/^ruby[\d.]*$/, { valued: ["-r", "-I", "-C"], inline: ["-e"] }],
  [/^perl[\d.]*$/, { valued: ["-I"], inline: ["-e", "-E"] }],
  [/^php[\d.]*$/, { valued: ["-S", "-t", "-d", "-c"], runs: ["-f"], inline: ["-r"] }],
  [
    /^java$/,
    { valued: ["-cp", "-classpath", "--class-path", "-p", "--module-path"], runs: ["-jar", "-m", "--module"] },
  ],
  [/^(deno|bun)$/, { valued: ["-c", "--config", "--import-map", "--cwd"], commands: ["run", "serve", "x"] }],
  [/^dotnet$/, { valued: [], commands: ["exec"] }],
  [/^(ba|da|z|k)?sh$/, { valued: ["-o"], inline: ["-c"] }],
];

/** "python3 http.server", "node server.js", "nginx"; an empty text when the command line is empty. */
export function programName(argv: readonly string[]): string {
  // A program may write itself a title: "nginx: master process /usr/sbin/nginx" has no path before its first space.
  const name = basename(argv[0] ?? "");
  const how = interpreters.find(([pattern]) => pattern.test(name))?.[1];
  const script = how === undefined ? undefined : scriptOf(argv.slice(1), how);
  return script === undefined ? name : `${name} ${script}`;
}

/** True of every process that runs localizer's own program, the helper as root among them. */
export function isLocalizer(argv: readonly string[]): boolean {
  const [first = "", ...rest] = argv;
  const how = interpreters.find(([pattern]) => pattern.test(basename(first)))?.[1];
  const script = how === undefined ? first : scriptPath(rest, how);
  return script !== undefined && /(^|\/)localizer(\.[cm]?[jt]s)?$/.test(script);
}

function scriptOf(args: readonly string[], how: Interpreter): string | undefined {
  const path = scriptPath(args, how);
  return path === undefined ? undefined : basename(path) || undefined;
}

function scriptPath(args: readonly string[], { valued, runs = [], inline = [], commands = [] }: Interpreter) {
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (runs.includes(arg)) return args[index + 1];
    if (inline.includes(arg)) return undefined;
    if (valued.includes(arg)) index++;
    else if (!arg.startsWith("-") && !commands.includes(arg)) return arg === "" ? undefined : arg;
  }
  return undefined;
}
