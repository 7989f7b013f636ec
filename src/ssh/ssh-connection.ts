/**
 * ssh: an SSH client over any byte channel, for listeners on the far side that lead back here (RFC 4254, 7.1). Promises that
 * the server is the one whose key was handed in, that nothing but those listeners is asked of it, and that no channel outlives
 * its connection. Used by expose. This file is the door: what stands behind it can be replaced.
 */
import type { Duplex } from "node:stream";
import type { Port } from "../model/port.ts";
import type { KeyPair } from "./key-pair.ts";

/** Whom to be and whom to trust. */
export interface SshIdentity {
  readonly user: string;
  readonly clientKey: KeyPair;
  /** `ssh-ed25519 AAAA…`, as it stands in a known_hosts file; any other key ends the connection. */
  readonly hostKey: string;
}

/** A connection that is authenticated. Disposing closes it and every channel; it may be called twice. */
export interface SshConnection extends AsyncDisposable {
  /**
   * Has the server listen on the port at all its addresses; `take` gets each connection to it, as a Duplex that passes half-closes
   * on and is destroyed with the connection. `take` must put an error handler on it at once, and must not throw. `refused` hears why
   * of each that is closed at once instead: there are too many.
   * @throws LocalizerError `conflict` when the server cannot listen there (the port is taken, or not allowed), `unavailable`
   * when the connection is lost
   */
  forward(
    port: Port,
    take: (channel: Duplex) => void,
    signal: AbortSignal,
    refused?: (reason: string) => void,
  ): Promise<void>;
  /** Fires when the connection is lost or closed, with a LocalizerError as its reason. */
  readonly closed: AbortSignal;
}

/**
 * Speaks SSH over the transport, which it owns from then on.
 * @throws LocalizerError `denied` when the server has another key than it should, or does not take ours; `unavailable` when
 * the transport fails or no SSH is spoken; `timeout`; `aborted`
 */
export type ConnectSsh = (transport: Duplex, identity: SshIdentity, signal: AbortSignal) => Promise<SshConnection>;
