/** What SPDY is carried by: every fault suite of SPDY runs over each. */
import { test } from "node:test";
import { WebSocketTunnel } from "../../src/portforward/websocket-tunnel.ts";
import { type DuplexPair, duplexPair } from "./duplex-pair.ts";
import { TunnelPeer } from "./websocket-peer.ts";

const carriers: Readonly<Record<string, () => DuplexPair>> = {
  direct: duplexPair,
  websocket: () => {
    const { near, far } = duplexPair();
    return { near: new WebSocketTunnel(near, Buffer.alloc(0)), far: new TunnelPeer(far) };
  },
};

/** A `test` that runs each test over every carrier, and a `duplexPair` that makes the ends of the carrier in turn. */
export function overEachCarrier(): {
  readonly test: (name: string, run: () => void | Promise<void>) => void;
  readonly duplexPair: () => DuplexPair;
} {
  let makePair = duplexPair;
  return {
    test(name, run) {
      for (const [carrier, make] of Object.entries(carriers)) {
        // Tests of a file run one after the other.
        void test(`${name} (${carrier})`, async () => {
          makePair = make;
          await run();
        });
      }
    },
    duplexPair: () => makePair(),
  };
}
