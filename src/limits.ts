/**
 * Every bound of the client side: value, unit, reason. The wire's are crdt/limits.ts, a node's node/limits.ts.
 */
const MiB = 1024 * 1024

/** Requests for single ops under way at once: enough to hide the round trip, few enough for a node that is busy. */
export const requestsInFlightMax = 8
/** Batches of one import under way at once: one is being signed and stored while the next travels. */
export const batchesInFlight = 3
/** What one POST /v1/batch may hold; the node answers 413 beyond it. */
export const batchLinesMax = 1_000
export const batchBytesMax = 8 * MiB
/** Frames of one POST /v1/ops, below the node's bound of 8 MiB; a frame alone is at most 1 MiB. */
export const opsRequestBytesMax = 4 * MiB
/** Entries that are decided, signed and posted together when signing on this side; one batch proof holds 256. */
export const signedEntriesMax = 256
/** Owners whose authority is kept, each with its ops. */
export const provenOwnersMax = 64
/** Records whose proven ops a client keeps, so that a second write of one fetches only what is new. */
export const provenRecordsMax = 512
/** Signatures a client remembers to have checked, 400 bytes each. */
export const provenSignaturesMax = 1_024
/** Ops of one record a client fetches; a record with more is read from the node, not proven here. */
export const provenOpsMax = 100_000
/** One line of a stream; the longest real record is 156 KB. */
export const lineBytesMax = 4 * MiB
/** Waits between reconnects of a change feed: doubled from the first up to the last. */
export const reconnectMsMin = 250
export const reconnectMsMax = 10_000
/** A page of a list or history. */
export const pageItems = 500
/** A manifest or catalogue file given to a command, after decompression. */
export const manifestBytesMax = 256 * MiB
/** A line-by-line read of one import file, after decompression: a compressed bomb stops here. */
export const importBytesMax = 4 * 1024 * MiB
/** Tries of a write that lost the race against another, before it is told to the caller. */
export const raceTriesMax = 5
/** How far the time of an op that is built on may be ahead and still be followed; nodes park what is further. */
export const clockAheadMsMax = 5 * 60_000
/** Tries of one batch at a node that says it is busy: about 15 s in all. */
export const busyTriesMax = 6
/** One document of a source: a page of a registry, a file. models.dev's is 2 MB. */
export const documentBytesMax = 64 * MiB
/** Files of one folder that is imported, and folders within one another. */
export const folderFilesMax = 100_000
export const folderDepthMax = 16
/** Pages of one source: more is a source that goes round in circles. */
export const sourcePagesMax = 100_000
/** Pages whose validators are remembered for the next import, about 300 bytes each. */
export const pagesKeptMax = 10_000
/** Records of a document stored between two notes of how far an import is. */
export const progressRecords = 1_000
export const redirectsMax = 5
/** Until a source has answered, and without a byte from it. */
export const sourceSilenceMsMax = 30_000
export const sourceTriesMax = 4
/** The longest wait that a source may ask for before it is asked again. */
export const sourceWaitMsMax = 30_000
/** Uses of YAML anchors in one document; each may repeat what stands at the anchor. */
export const yamlAliasesMax = 100
/** Bare ids whose kind a client remembers. */
export const namesMax = 10_000

/** `doctor` waits so long for a node, a peer or a port. */
export const doctorAskMs = 5_000
/** How long it watches whether search moves. */
export const doctorLookMs = 2_000
/** Clocks further apart than this are worth setting; a Date header is a second wide, and the way there takes time. */
export const doctorClockMs = 5_000
/** Below the first it says so, below the second something is wrong: LevelDB needs room to compact in. */
export const doctorFreeBytes = 2_000_000_000
export const doctorFreeBytesMin = 200_000_000
