/** What SPDY is carried by: every fault suite of SPDY runs over each. */
import { test } from "node:test";
import { WebSocketTunnel } from "../../src/portforward/websocket-tunnel.ts";
import { type DuplexPair, duplexPair } from "./duplex-pair.ts";
import { asGorilla, type Framing, inFragments, TunnelPeer } from "./websocket-peer.ts";

/** One way to carry it, in memory. */
export interface Carrier {
  /** The two ends of SPDY, and the raw far end below: what is written there must be framed. */
  readonly open: () => DuplexPair & { readonly wire: DuplexPair["far"] };
  /** The bytes on the wire that carry these bytes of SPDY. */
  readonly framed: Framing;
}

/** All of them, by name. */
export const carriers: Readonly<Record<string, Carrier>> = {
  direct: {
    open: () => {
      const { near, far } = duplexPair();
      return { near, far, wire: far };
    },
    framed: (bytes) => bytes,
  },
  websocket: webSocket(asGorilla),
  "websocket in fragments": webSocket(inFragments),
};

function webSocket(framed: Framing): Carrier {
  const open = () => {
    const { near, far } = duplexPair();
    return { near: new WebSocketTunnel(near, Buffer.alloc(0)), far: new TunnelPeer(far, framed), wire: far };
  };
  return { open, framed };
}

/** A `test` that runs each test over every carrier, and a `duplexPair` that makes the ends of the carrier in turn. */
export function overEachCarrier(): {
  readonly test: (name: string, run: () => void | Promise<void>) => void;
  readonly duplexPair: () => DuplexPair;
} {
  let makePair: () => DuplexPair = duplexPair;
  return {
    test(name, run) {
      for (const [carrier, { open }] of Object.entries(carriers)) {
        // Tests of a file run one after the other.
        void test(`${name} (${carrier})`, async () => {
          makePair = open;
          await run();
        });
      }
    },
    duplexPair: () => makePair(),
  };
}
