/** An SSH client that asks for more than the product's does, for what a server must refuse. */
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import { sshUser } from "../../src/expose/sshd-config.ts";

/** Who logs in. */
export interface RawLogin {
  readonly username?: string;
  readonly privateKey?: string;
  readonly password?: string;
}

/** A client that was let in. */
export interface RawClient extends AsyncDisposable {
  readonly ssh: ssh2.Client;
}

/** Logs in. Rejects when it is not let in. */
export async function rawClient(sock: Duplex, login: RawLogin): Promise<RawClient> {
  const ssh = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  ssh
    .on("ready", resolve)
    .on("error", reject)
    .on("close", () => reject(new Error("closed")));
  ssh.connect({ sock, username: sshUser, ...login });
  await promise;
  return { ssh, [Symbol.asyncDispose]: async () => void ssh.destroy() };
}

/** Asks for all that is not a reverse forward; gives what the server says to each, `allowed` where it does not mind. */
export async function refusals({ ssh }: RawClient): Promise<Readonly<Record<string, string>>> {
  const asks: Readonly<Record<string, (done: (error?: Error | null) => void) => unknown>> = {
    exec: (done) => ssh.exec("id", done),
    shell: (done) => ssh.shell(done),
    sftp: (done) => ssh.sftp(done),
    "direct-tcpip": (done) => ssh.forwardOut("127.0.0.1", 1, "127.0.0.1", 2222, done),
    streamlocal: (done) => ssh.openssh_forwardInStreamLocal("/tmp/socket", done),
    "another port": (done) => ssh.forwardIn("", 9999, done),
  };
  const said: Record<string, string> = {};
  for (const [what, ask] of Object.entries(asks)) {
    const { promise, resolve } = Promise.withResolvers<Error | null | undefined>();
    ask(resolve);
    said[what] = (await promise)?.message ?? "allowed";
  }
  return said;
}
