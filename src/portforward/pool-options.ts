/** What the pool may do and how long it waits: all settings of it, with their reasons. Pure. */

/** Durations in ms. */
export interface PoolOptions {
  /** A connection that nobody uses is closed after this. */
  readonly idleMs: number;
  /** So long after a pod was last used one connection to it is kept, though nobody uses it. */
  readonly spareMs: number;
  /**
   * Connections to one pod before they are shared. One whose pod reads too slowly does not count. Many, for a shared one is stopped
   * by the first application that reads nothing, and an own one costs some 60 KB here and one upgrade there.
   */
  readonly connectionsPerPod: number;
  /** The same once half of all connections are made. */
  readonly connectionsPerPodCrowded: number;
  /** Dials to one pod that hang: while there are so many no other is made. */
  readonly slowDialsPerPod: number;
  /** The same with those that read too slowly: one application that hangs shall not use up what all have. */
  readonly connectionsPerPodAtMost: number;
  /** Connections in all. */
  readonly connections: number;
  /** Streams to the pods of one node, ending ones too: each is a thread of the container runtime there. */
  readonly streamsPerNode: number;
  /** Streams in use on a shared connection; when all have so many, more connections are made after all. */
  readonly streamsPerConnection: number;
  /** Streams that the runtime has not let go of yet, on one connection. */
  readonly lingering: number;
  /** So long, or one and a half round trips, one waits for a connection that is just being proven, rather than share another. */
  readonly shareAfterMs: number;
  /** So long after a dial that failed no other is made while there are connections that work. */
  readonly redialMs: number;
  /** So long one waits where the limits leave no room: less than a tunnel's patience, so that its caller is told of the limit. */
  readonly patienceMs: number;
  /** After so many streams a connection is replaced (kubernetes#100283: the runtime's memory of each). */
  readonly recycleStreams: number;
  readonly recycleMs: number;
  /** The pause between pings on a connection; half of it in silence. */
  readonly pingEveryMs: number;
  /** An answer that stays away so long means that a worker of the runtime is stuck, where the connection is to be used again. */
  readonly proofMs: number;
  /** An answer that stays away so long means no new streams until it comes. */
  readonly suspectMs: number;
  /** So long without any sign a connection is lost; somewhat less than the 15 s that are promised. */
  readonly lostMs: number;
  /** The same two where nobody uses the connection: one more dial costs little. */
  readonly idleSuspectMs: number;
  readonly idleLostMs: number;
  /** A stream that the runtime does not accept for so long, in silence, means no others on its connection for now. */
  readonly acceptMs: number;
  /** A stream to a pod that is gone is reset when nothing was said on it for so long. */
  readonly goneMs: number;
  /** Whether a pod that has left is gone is asked again after the first of these; each pause is twice the last, up to the second. */
  readonly askGoneMs: number;
  readonly askGoneMostMs: number;
  /** So long after waking, or on another network, a connection may be silent. */
  readonly alarmMs: number;
  /** A dial that takes so long is not waited for alone. */
  readonly slowDialMs: number;
  /** The pause after a connection that was closed before it was of use; it doubles, up to the second. */
  readonly earlyEndMs: number;
  readonly earlyEndMostMs: number;
  /** A look that comes so late means that this process was stopped. */
  readonly lateMs: number;
}

/** What holds where the user says nothing. */
export const defaultPoolOptions: PoolOptions = {
  idleMs: 60_000,
  spareMs: 300_000,
  connectionsPerPod: 64,
  connectionsPerPodCrowded: 8,
  slowDialsPerPod: 4,
  connectionsPerPodAtMost: 128,
  connections: 256,
  streamsPerNode: 1_000,
  streamsPerConnection: 16,
  lingering: 128,
  shareAfterMs: 50,
  redialMs: 500,
  patienceMs: 4_500,
  recycleStreams: 1_000,
  recycleMs: 3_600_000,
  pingEveryMs: 10_000,
  proofMs: 2_000,
  suspectMs: 5_000,
  lostMs: 13_000,
  idleSuspectMs: 1_500,
  idleLostMs: 5_000,
  acceptMs: 2_000,
  goneMs: 5_000,
  askGoneMs: 5_000,
  askGoneMostMs: 300_000,
  alarmMs: 4_000,
  slowDialMs: 2_000,
  earlyEndMs: 100,
  earlyEndMostMs: 1_000,
  lateMs: 5_000,
};
