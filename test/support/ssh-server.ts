/** An SSH server in this process, by ssh2, at the other end of a line that the test can freeze and cut. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type Connection, type ServerChannel } from "ssh2";
import type { Port } from "../../src/model/port.ts";
import { type KeyPair, makeKeyPair } from "../../src/ssh/key-pair.ts";
import type { SshIdentity } from "../../src/ssh/ssh-connection.ts";
import { duplexPair } from "./duplex-pair.ts";

/** A server with one client at most. */
export interface SshServer extends AsyncDisposable {
  /** The client's end of the line. */
  readonly transport: Duplex;
  /** What a client has to know. */
  readonly identity: SshIdentity;
  /** The ports that it listens on for the client. */
  readonly listening: ReadonlySet<number>;
  /** Somebody connects to a port that it listens on; rejects when the client does not take it. */
  connect(port: Port): Promise<ServerChannel>;
  /** Nothing passes any more, in neither direction. */
  freeze(): void;
  thaw(): void;
  /** The line is gone. */
  cut(): void;
  /** The server ends the connection in order. */
  end(): void;
}

/** What it should do. */
export interface SshServerOptions {
  /** Denied ports. */
  readonly denied?: readonly number[];
  /** Never answers a request to listen. */
  readonly isDeaf?: boolean;
  readonly clientKey?: KeyPair;
  readonly ciphers?: readonly ["aes256-gcm@openssh.com" | "chacha20-poly1305@openssh.com" | "aes128-cbc"];
}

/** Starts one. */
export function startSshServer(options: SshServerOptions = {}): SshServer {
  const hostKey = makeKeyPair();
  const clientKey = options.clientKey ?? makeKeyPair();
  const listening = new Set<number>();
  const [left, right] = [duplexPair(), duplexPair()];
  const thaw = () => {
    left.far.pipe(right.near);
    right.near.pipe(left.far);
  };
  thaw();
  for (const end of [left.near, left.far, right.near, right.far]) end.on("error", () => {});
  let client: Connection | undefined;
  const algorithms = options.ciphers === undefined ? {} : { algorithms: { cipher: [...options.ciphers] } };
  const server = new ssh2.Server({ hostKeys: [hostKey.privateKey], ...algorithms }, (connection) => {
    client = connection;
    connection.on("error", () => {});
    connection.on("authentication", (context) => {
      const key = ssh2.utils.parseKey(clientKey.publicKey);
      assert(!(key instanceof Error));
      if (context.method !== "publickey" || !context.key.data.equals(key.getPublicSSH())) context.reject();
      else if (context.signature === undefined || context.blob === undefined) context.accept();
      else if (key.verify(context.blob, context.signature) === true) context.accept();
      else context.reject();
    });
    connection.on("request", (accept, reject, name, info) => {
      if (options.isDeaf) return;
      if (name === "tcpip-forward" && !options.denied?.includes(info.bindPort) && !listening.has(info.bindPort)) {
        listening.add(info.bindPort);
        accept?.();
      } else if (name === "cancel-tcpip-forward" && listening.delete(info.bindPort)) accept?.();
      else reject?.();
    });
  });
  // ssh2 asks no more of it than what a Duplex has.
  server.injectSocket(right.far as unknown as Socket);
  return {
    transport: left.near,
    identity: { user: "localizer", clientKey, hostKey: hostKey.publicKey },
    listening,
    connect: (port) =>
      new Promise((resolve, reject) => {
        assert(client !== undefined, "nobody is there");
        client.forwardOut("", port, "192.0.2.1", 40_000, (error, channel) => {
          if (error !== undefined) return reject(error);
          channel.on("error", () => {});
          resolve(channel);
        });
      }),
    freeze() {
      left.far.unpipe();
      right.near.unpipe();
    },
    thaw,
    cut() {
      left.far.destroy();
      right.near.destroy();
    },
    end() {
      client?.end();
    },
    async [Symbol.asyncDispose]() {
      for (const end of [left.far, right.near, right.far]) end.destroy();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
