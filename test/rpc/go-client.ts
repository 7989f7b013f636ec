/**
 * The gRPC client that is not ours: grpc-go, with messages from the text of the .proto file. Built once from
 * test/rpc/goclient into the user's cache. Used by the suites of rpc and of the real daemon.
 */
import { type ExecFileException, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

const source = join(import.meta.dirname, "goclient");

/** What it takes for the contract: that of the original, as its clients do, or ours with all that was added. */
const contracts = {
  original: join(import.meta.dirname, "original.proto"),
  ours: join(import.meta.dirname, "../../proto/api/v1/localizer.proto"),
} as const;

/** A call that the daemon answered with an error. */
export class GoCallError extends Error {
  override readonly name = "GoCallError";
  /** As Go names it: "Unimplemented". */
  readonly grpcCode: string;
  /** What a stream had brought before it failed; null for a call that is none. */
  readonly messages: unknown;

  constructor(grpcCode: string, message: string, messages: unknown) {
    super(message);
    this.grpcCode = grpcCode;
    this.messages = messages;
  }
}

/**
 * Calls a method of LocalizerService ("List"), or "reflect" or "health", and gives the answer as JSON with the names
 * of the .proto file; a stream as a list of messages. It gives up after `deadline`, in Go's words.
 * @throws GoCallError when the call failed
 */
export async function runGoClient(
  socketPath: string,
  method: string,
  request: object = {},
  contract: keyof typeof contracts = "original",
  { deadline = "10s" }: { readonly deadline?: string } = {},
): Promise<unknown> {
  const program = await buildGoClient();
  const { error, stdout, stderr } = await run(program, [
    ...["-timeout", deadline],
    ...["-data", JSON.stringify(request)],
    socketPath,
    contracts[contract],
    method,
  ]);
  if (error !== null && stdout === "") throw new Error(`Cannot run the Go client: ${stderr || error.message}`);
  const answer: unknown = JSON.parse(stdout);
  if (error === null) return answer;
  // The program's own form of an error; see `main` in main.go.
  const { code, message, messages } = answer as { readonly code: string; readonly message: string; messages: unknown };
  throw new GoCallError(code, message, messages);
}

/** Builds the program if this version of it is not in the cache, and gives its path. Takes half a minute then. */
export async function buildGoClient(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", "main.go"]) hash.update(await readFile(join(source, file)));
  const { XDG_CACHE_HOME: cache = join(homedir(), ".cache") } = process.env;
  const folder = join(cache, "localizer-testcluster");
  const program = join(folder, `goclient-${hash.digest("hex").slice(0, 16)}`);
  if (await exists(program)) return program;
  await mkdir(folder, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  const { error, stderr } = await run("go", ["build", "-o", unfinished, "."], { cwd: source });
  if (error !== null) throw new Error(`Cannot build the Go client: ${stderr || error.message}`);
  await rename(unfinished, program);
  return program;
}

function run(program: string, args: readonly string[], options: { readonly cwd?: string } = {}) {
  return new Promise<{ error: ExecFileException | null; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
