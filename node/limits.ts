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

// Store
/** LevelDB's cache of table blocks. */
export const diskCacheBytes = 32 * MiB
/** LevelDB's log and memory table; up to two are held. Larger means fewer compactions in an import and a longer reopen. */
export const diskWriteBufferBytes = 8 * MiB
/** Decoded frames kept for reads and merges, by the bytes of their frames; the objects weigh two to three times that. */
export const frameCacheBytesMax = 16 * MiB
/** Merged records kept for the next write to them, by the bytes of their rows. */
export const recordCacheBytesMax = 8 * MiB
/** What one frame's row may inflate to: a frame, and never more. */
export const frameRowBytesMax = 1 * MiB
/** Ops of one group commit; more wait for the next, so that no commit stalls the readers. */
export const groupOpsMax = 2_048
export const groupBytesMax = 8 * MiB
/** Strangers' ops waiting for the writer; beyond it `admit` answers busy, and the sender comes again. */
export const admitQueueOpsMax = 100_000
/** Ids of authentic ops that can never be valid, remembered so that what builds on them is refused at once. */
export const refusedIdsMax = 10_000
/** Batches whose signature was found good, remembered because ops of one batch often arrive in parts. */
export const verifiedBatchesMax = 4_096
/** One answer of `frames` when the caller names no bound. */
export const framesAnswerBytesMax = 4 * MiB
/** Imported public keys kept by each verifying thread. */
export const keyObjectsMax = 4_096
/** Groups of at most this many signatures are checked where they are: a message to a thread costs as much. */
export const verifyInlineMax = 2
/** Signatures in one message to a thread. */
export const verifyGroupMax = 256
/** Threads that verify; the others have work of their own. */
export const verifyThreadsMax = 4
/** An op held back for its time is looked at again at least this often, since clocks jump. */
export const parkedCheckMs = 60_000

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
