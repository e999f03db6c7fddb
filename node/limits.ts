/**
 * Every bound of a node: value, unit, reason. The wire's own bounds are crdt/limits.ts.
 */
const KiB = 1024
const MiB = 1024 * KiB

// Sync streams
/** One message on a sync stream; bigger ones cost latency for others, smaller ones throughput. */
export const syncMessageBytesMax = 1 * MiB + 64 * KiB
/** What one message may grow to when it is decompressed: a compressed bomb stops here. */
export const syncInflatedBytesMax = 4 * MiB
/** Messages a receiver lets the sender have under way, so that memory stays flat however slow we are. */
export const syncCredits = 8
export const syncIdleTimeoutMs = 30_000
/** Items of one session, so that a peer that streams for ever is cut. */
export const syncItemsMax = 10_000_000
/** A random peer is asked this often, on top of every connect: liveness rests on it, not on gossip. */
export const syncIntervalMs = 60_000
export const syncStreamsPerPeerMax = 8

// Gossip
/** Larger frames are announced by id and fetched. */
export const gossipMessageBytesMax = 256 * KiB
export const gossipOpsPerSecondMax = 200
export const gossipOpsBurst = 2_000

// Pending ops: authentic, but a parent is missing
export const pendingOpsPerPeerMax = 1_000
export const pendingBytesPerPeerMax = 16 * MiB
export const pendingBytesMax = 64 * MiB
export const pendingTimeMs = 10 * 60_000

// Intake
/** An op from the future is held outside until its time comes. */
export const clockAheadMsMax = 10 * 60_000
/** Local writes waiting for the group commit; more are answered 503. */
export const writeQueueMax = 10_000
/** Verification jobs waiting for the workers, in signatures. */
export const verifyQueueMax = 100_000

// HTTP
export const httpBodyBytesMax = 1 * MiB
export const httpBatchBytesMax = 8 * MiB
export const httpBatchLinesMax = 1_000
export const httpHeaderBytesMax = 16 * KiB
export const httpHeaderTimeoutMs = 10_000
export const httpRequestTimeoutMs = 30_000
export const pageItemsMax = 1_000
export const pageItemsDefault = 50
/** Buffered lines per follower of /v1/changes before it is cut; it resumes by Last-Event-ID. */
export const followerLinesMax = 10_000
export const followersMax = 1_000

// Search
export const queryBytesMax = 512
export const queryTermsMax = 32
/** How long a search waits for the index to reach the last acknowledged op. */
export const searchWaitMsMax = 1_000
export const facetValuesMax = 100
export const filtersMax = 32

// libp2p
export const connectionsMax = 128
export const dialAddressesMax = 25
export const peersOnDiskMax = 200
