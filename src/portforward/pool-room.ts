/** The limits that the pools of all pods share. Made by pod-dialer, asked by pod-pool. */
import type { PodRef } from "../model/endpoint.ts";

/** What a pool asks of the process: the limits that pods share. */
export interface PoolRoom {
  /** More than half of the connections of the process are there. */
  isCrowded(): boolean;
  /** One more connection may be made; `byForce`: if need be one that nobody uses is closed for it. */
  makeRoom(byForce: boolean): boolean;
  /** One more stream may be opened to pods of this one's node. */
  hasThread(pod: PodRef): boolean;
  /** A stream of the pool's has gone on: there may be a thread more. */
  changed(): void;
  /** A connection or a dial has ended. */
  left(): void;
}
