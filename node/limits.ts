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
/** Who has connected is asked what it speaks this much later; a first session of a few changes is over by then. */
export const identifyAfterMs = 100
/** Larger frames are announced by id and fetched. */
export const gossipMessageBytesMax = 256 * KiB
export const gossipOpsPerSecondMax = 200
export const gossipOpsBurst = 2_000

// Merging
/** Records of so many ops or fewer are merged whenever somebody writes: 2 ms at most. */
export const mergeFreeOps = 64
/** After a larger one, live ops of such records are refused, and a stream of them pauses, for each op merged: 3 % of a core. ms. */
export const mergePauseMsPerOp = 1
/** And no longer, or the other side would take us for gone. ms. */
export const mergePauseMsMax = 2_000

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
/** Rows read where we are: ten microseconds each, when it takes ten times that to hear from another thread. */
export const diskReadsHereMax = 4
/** LevelDB's log and memory table; up to two are held. Larger means fewer compactions in an import and a longer reopen. */
export const diskWriteBufferBytes = 8 * MiB
/** Opening a store writes its log out as a table and may join others to it: less room than that, and it stays as it is. */
export const diskReopenFreeBytes = 3 * diskWriteBufferBytes
/** Decoded frames kept for reads and merges, by the bytes of their frames; the objects weigh two to three times that. */
export const frameCacheBytesMax = 4 * MiB
/** Merged records kept for the next write to them, by the bytes of their rows; as objects they weigh six times that. */
export const recordCacheBytesMax = 2 * MiB
/** Ops of records with branches, kept for the next merge of them, by their bodies: such records come in bursts. */
export const recordOpsCacheBytesMax = 8 * MiB
/** Authority of owners kept for the next op or read of theirs, in ops of authority records, about 1 KB each. */
export const authorityCacheOpsMax = 20_000
/** Records merged again in one go after a change of authority, so that readers and writers get their turn. */
export const rejudgeRecords = 64
/** How long the bodies of erased ops are kept: time to notice that a key was stolen, and to replace it. */
export const eraseGraceMs = 3 * 24 * 60 * 60_000
/** How often bodies are looked for whose time has come, and records that a failing disk kept from being merged again. */
export const tidyMs = 10 * 60_000
/** Ops whose bodies are freed in one go. */
export const freeOpsMax = 256
/**
 * Frames that the sweep reads at one time, and between two such times: 30 ms of work in 5 s is under 1 % of a core, and
 * 100,000 ops are read through in a quarter of an hour.
 */
export const sweepBytes = 128 * KiB
export const sweepMs = 5_000
/** The same in the first pass after an unclean end: 100,000 ops in half a minute. */
export const sweepHurryMs = 100
/** Between the end of one pass and the next. */
export const sweepRestMs = 15 * 60_000
/** Records whose rows are made anew in one reading of all frames. */
export const sweepRecordsMax = 1_000
/** How often it is noted beside the store how much it holds: what a damaged log loses since then shows by nothing else. */
export const tallyMs = 60_000
/** Between attempts to load what is on disk when it refuses a read: doubles up to the last. */
export const loadRetryMs = 500
export const loadRetryMsMax = 60_000
/** Rows written at once while frames are set aside, and bytes of frames taken in again at once: some tens of ms each. */
export const asideBatchRows = 1_024
export const readmitBytes = 1 * MiB
/** How soon frames that wait for their past are tried again after ops have arrived. */
export const readmitAgainMs = 5_000
/**
 * What of the newest frames an open looks at after an unclean end: a power cut takes what LevelDB's two logs held, each a
 * write buffer and one batch, and everything before is in files that were synced.
 */
export const openCheckBytes = 4 * diskWriteBufferBytes
/** What one frame's row may inflate to: a frame, and never more. */
export const frameRowBytesMax = 1 * MiB
/** Ops of one group commit; more wait for the next, so that merging them does not stall the readers. */
export const groupOpsMax = 512
/** Strangers' ops waiting for the writer; beyond it `admit` answers busy, and the sender comes again. */
export const admitQueueOpsMax = 100_000
/** Ids of authentic ops that can never be valid, remembered so that what builds on them is refused at once. */
export const refusedIdsMax = 10_000
/** Batches whose signature was found good, remembered because ops of one batch often arrive in parts. */
export const verifiedBatchesMax = 4_096
/** Ids in one of the rows that make a start quick: 128 KiB. */
export const idChunkOps = 4_096
/** Ops that have a row of their own when a node stops: to read as many from their frames takes 4 ms. */
export const idRestOpsMin = 256
/** Ops behind these rows that are read from their frames at a start; with more, the rows of all ops are read. */
export const idTailOpsMax = 8_192
/** After a quick start the ids are held against the ops' own rows; the first session with a peer comes before. ms. */
export const setCheckAfterMs = 1_000
/** The sketch is written when so many more rows of ids are; below, it is quicker to make than to read. */
export const idSketchChunks = 16
/** Parts of the set (one kind, one owner) whose ids are kept beside it, 90 bytes an id. */
export const syncSetsKeptMax = 16
/** One answer of `frames` when the caller names no bound. */
export const framesAnswerBytesMax = 4 * MiB
/** Imported public keys kept by each verifying thread. */
export const keyObjectsMax = 4_096
/** Groups of at most this many signatures are checked where they are: a message to a thread costs as much. */
export const verifyInlineMax = 2
/** Signatures in one message to a thread. */
export const verifyGroupMax = 256
/** Ops or records after which a thread packs its heap, the quiet that must have come, and the heap that is left as it is. */
export const giveBackWork = 1_000
export const giveBackAfterMs = 10_000
export const giveBackHeapBytesMax = 256 * MiB
/** After so long without work these threads end; to start one takes 60 ms. */
export const verifyRestMs = 10_000
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
/** How often time-outs are looked for; a slow client is cut this much later at most. */
export const httpTimeoutCheckMs = 1_000
/** A connection on which nothing moves while an answer is due is cut: who asks and does not read holds memory. */
export const httpStallMs = 60_000
export const httpConnectionsMax = 4_096
/** Connections that wait to be taken: clients that come at once are not turned away while we are busy. */
export const httpBacklog = 2_048
/** Bodies up to this size are read without being counted: with all connections at it, 256 MiB. */
export const httpSmallBodyBytesMax = 64 * KiB
/** Larger bodies without a token that are being read at once; more are answered 503. */
export const httpOpenBodiesBytesMax = 64 * MiB
/** An idle connection is kept for the client's next request. */
export const httpKeepAliveMs = 5_000
/** What a stopping node gives the requests under way. */
export const httpDrainMs = 10_000
/** Longer cursors are none of ours. */
export const cursorBytesMax = 2 * KiB
/** A silent stream of changes says that it lives; proxies cut one after a minute. */
export const followerHeartbeatMs = 15_000
/** A follower that reads nothing for so long is cut; it resumes by Last-Event-ID. */
export const followerStallMs = 60_000
export const pageItemsMax = 1_000
export const pageItemsDefault = 50
/** Followers of /v1/changes; each pulls a page at a time, so that nothing is buffered for it. */
export const followersMax = 1_000
/** Servers on a page of the MCP Registry's face, as its clients expect it. */
export const registryLimitDefault = 30
/** Records looked at for one page of servers that includes deleted ones: some 100 ms; the next page goes on. */
export const registryScanMax = 5_000
/** Records that a page of an AI catalogue is expected to hold; chance makes some pages fuller, none above pageItemsMax. */
export const catalogPageEntries = 800
/** Slashes in a model's id as hub clients write it: each may be the one between provider and name. */
export const modelIdSlashesMax = 8

/** Requests a minute, and the most at once, from one subnet without a token; an item of a batch counts as one. */
export const httpSubnetPerMinute = 1_200
/** The same for each token: an import of 25,000 records takes half a minute of it. */
export const httpTokenPerMinute = 60_000
/** Buckets that are kept; one that is dropped begins full again, so a flood from more subnets than this gains little. */
export const httpBucketsMax = 65_536
/** Connections from one /24 or /56: no subnet can take all that there are. */
export const httpConnectionsPerSubnetMax = 512
/** Followers of changes from one /24 or /56: each holds its connection for as long as it likes. */
export const followersPerSubnetMax = 64
/** Addresses read of one X-Forwarded-For, from the right. */
export const forwardedMax = 16
/** Answers kept for their Idempotency-Key: how long, how many, how many bytes. */
export const idempotencyMs = 24 * 60 * 60_000
export const idempotencyAnswersMax = 10_000
export const idempotencyBytesMax = 16 * MiB
export const idempotencyKeyCharsMax = 255
/** Further tokens of one node, and the size of each one's file. */
export const tokensMax = 1_000
export const tokenFileBytesMax = 16 * KiB
/** A folder that changed so lately is read again: its time may not show the next change. */
export const tokensRacyMs = 1_000
// Pages
/** Records on a page of the catalogue. */
export const pageCardsMax = 30
/** Values of one facet that a page lists; the rest is found by typing. */
export const pageFacetValuesMax = 24
/** Facets of one page that are counted again without the value chosen in them: one more search each. */
export const pageFacetSearchesMax = 4
/** Answers with facet counts that are kept until the catalogue changes; about 50 KB each at most. */
export const pageFacetCountsMax = 64
/** Characters of a name, a key or a short value on a page. */
export const pageNameCharsMax = 300
/** Characters of one text on a page; the JSON has all of it. */
export const pageTextCharsMax = 50_000
/** Characters of one text among other fields, and values of documents on one page: about 1 MB in all at worst. */
export const pageValueCharsMax = 5_000
export const pageValuesMax = 3_000
/** Pairs of texts compared on one page, a few ms each at worst. */
export const pageDiffsMax = 40
/** Items of one list, entries of one map, fields without a table on a page. */
export const pageItemsShownMax = 100
/** Ops on a page of a history, and on the page of the record itself. */
export const pageOpsMax = 20
export const pageLatestOpsMax = 5
/** Heads whose signature is checked for a page, sides of a conflict beside the first, and places in conflict. */
export const pageHeadsMax = 16
export const conflictsShownMax = 50
/** Names of one publisher that are compared with those of others: a search each. */
export const pageNamesComparedMax = 5
export const peersShownMax = 50
/** Last changes on the page of the node. */
export const changesShownMax = 30
/** Seconds of which the page of the node shows how much arrived. */
export const activitySeconds = 300
/** Rows that a backup packs together: enough to shrink well, and held in memory once. */
export const backupPartBytes = 1 * MiB
/** What a part may come to with the largest row in it; a damaged length beyond is not taken for one. */
export const backupPartBytesMax = 32 * MiB
/** Backups under way at once: each holds old rows on the disk until it has ended. */
export const backupsMax = 1
/** Records written at once while a store is brought to a newer format: some hundred KiB, not to be merged again after a kill. */
export const migrateBatchRows = 256
/** What lies on disk is measured again after this: anyone may ask. */
export const storageKeptMs = 5_000
/** Changed fields shown of one op. */
export const diffsShownMax = 60
/** Two texts of more words than this are compared by lines. */
export const diffWordsMax = 4_000
/** Edits between two texts; the walk keeps the square of it, 1.3 MB. */
export const diffEditsMax = 400
/** Records of more ops show what an op wrote, not what it changed. */
export const historyOpsDiffedMax = 1_000
/** Ops merged anew for one page of a history with branches: about 50 ms. */
export const historyMergedOpsMax = 5_000

// Webhooks
/** Each has at most one request under way. */
export const webhooksMax = 100
/** Changes in one delivery: 30 KB of JSON. */
export const webhookChangesMax = 100
export const webhookUrlCharsMax = 2_048
/** A receiver answers within this; what it does with a delivery it should do afterwards. */
export const webhookAnswerMs = 10_000
/** Between attempts: doubles from the first up to the last. Twelve attempts take half an hour to forty minutes. */
export const webhookBackoffMs = 2_000
export const webhookBackoffMsMax = 10 * 60_000
export const webhookAttemptsMax = 12
/** Deliveries given up that are remembered for one webhook; the oldest go first, and are counted. */
export const webhookDeadLettersMax = 1_000
/** How often a webhook looks whether its token, or the disk, is good again. */
export const webhookPausedMs = 60_000

// Search
export const queryBytesMax = 512
export const queryTermsMax = 32
/** How long a search waits for the index to reach the last acknowledged op. */
export const searchWaitMsMax = 1_000
export const facetValuesMax = 100
export const filtersMax = 32
/** A filter's text; what a header of a GET can carry percent-encoded. */
export const filterCharsMax = 4_096
/** Parentheses and `not` within one another; checked while reading, so that nothing recurses further. */
export const filterDepthMax = 12
/** Longer runs of letters are hashes and the like; their beginning is enough to find them. */
export const searchWordCharsMax = 48
/** Distinct words indexed of one record: its names, its tags and the like, its texts. Long prompts repeat themselves. */
export const searchNameWordsMax = 96
export const searchTagWordsMax = 256
export const searchTextWordsMax = 1_024
/** Characters of one record's texts that are read for words, and kept for highlights. */
export const searchTextCharsMax = 32 * 1024
export const searchShownCharsMax = 2_000
/** Filterable values of one record; real records have 16, one in two hundred more than 110. */
export const searchLeavesMax = 1_024
/** Longer strings are compared by their hash, sorted by their beginning, and never shown as a facet. */
export const filterStringCharsMax = 256
/** Wanted values of one array filter. */
export const filterValuesMax = 64
export const facetsMax = 32
/** Facets of one search that need a search of their own, since their field is filtered by. */
export const facetSearchesMax = 8
/** Tests of one filter expression, and how deep they may be nested: three levels (or, and, not) for one of a filter's. */
export const whereTestsMax = 64
export const whereDepthMax = 3 * filterDepthMax + 4
/** Fields listed with their values; the real catalogue has 330, strangers may make up any. */
export const fieldsMax = 1_000
export const fieldValuesMax = 20
/** Words that a mistyped one may stand for. */
export const corrections = 4
/** What one query may cost the thread that answers; one that would cost more is cut and says so. ms. */
export const searchWorkMs = 50
/** How long fields are counted, a piece at a time with searches between: a list that is cut is better than a 503. ms. */
export const fieldsMs = 4_000
/** Fewer exact matches than this, and records with most of the words are shown after them. */
export const looseBelow = 10
/** Words and beginnings of each segment that are kept laid out: 60 bytes a document at most, touched when asked for. */
export const layoutsKept = 48
/** Sets of documents kept of each segment, by a test of their values: 3 bytes a document. */
export const testedKept = 24
/** Room that is kept from one query to the next: what most queries over a million records need. */
export const scratchBytesKept = 16 * MiB
/** Words that keep their numbers from one batch of records to the next: some 10 MB. */
export const vocabularyKept = 100_000
/** Work of the index without a break, so that a search, or what else its threads have to do, never waits long. ms. */
export const indexSliceMs = 2
/** Documents of replaced segments before the thread that answers looks for memory to free: 70 MB, and some 10 ms. */
export const droppedDocumentsMax = 50_000
/** Records that the index's files may lack, and for how long: what a kill makes it read again from the replica. */
export const indexKeptRecords = 50_000
export const indexKeptMs = 5_000
/** Fields of one segment that can be filtered by, the first met; the real catalogue has 94 in all, strangers may make up any. */
export const indexColumnsMax = 4_096
/** Records handed to the index's thread at once: a millisecond or two of copying. */
export const indexSentRecords = 100
/** Records of one `apply`. */
export const indexBatchRecords = 2_000
/** Records read for the index at once: a few milliseconds of the main thread. */
export const indexReadRecords = 250
/** Changed records whose ids wait for the index, 130 bytes each; beyond it they are dropped and read from the log. */
export const indexQueueRecords = 200_000
/** Rows that wait with them, of what came last: a second's worth of a bulk. Beyond it they are read from the disk. */
export const indexQueueBytes = 16 * MiB
/** From this many waiting on it is a bulk, and goes before the index: a single write never is. */
export const indexBulkRecords = 32
/** A bulk is over when nothing came for so long. ms. */
export const indexLullMs = 100
/** The index waits for the end of one so long at most, and only while nobody searches: 100,000 records come in 15 s. ms. */
export const indexHoldMs = 20_000
/** Of a write to the signing journal that failed, before whoever waits is told; after that it goes on by itself. */
export const journalTries = 3
/** Ops of our own that the signing journal is told of at once when it was lost. */
export const journalCompleteOps = 4_096
/** Between attempts to build an index that the disk refused. */
export const indexRetryMs = 5_000
/** Until records that were damaged on disk are asked for again: by then a peer may have sent their ops. */
export const indexBrokenMs = 10_000
/** Searches under way in the thread that answers; more are answered busy. */
export const searchesMax = 256
/** A search that takes longer is answered 503: the index is still being loaded, or the machine is overloaded. */
export const searchTimeoutMs = 5_000
// libp2p
export const connectionsMax = 128
export const dialAddressesMax = 25
export const peersOnDiskMax = 200

// Sync, continued
/** A packet is filled up to here before it is compressed; twice as much compresses hardly better and waits longer. */
export const syncPacketBytes = 512 * KiB
/** The first answer to a request is small, so that a wrong guess about what the asker holds is noticed at its price. */
export const syncFirstPacketBytes = 64 * KiB
export const syncFirstIds = 128
/** Ids in one message: 128 KiB. */
export const syncIdsPerMessageMax = 4_096
/** Ids filled into one message before it is sent; a frame's ids stay together, so it may hold 255 more. */
export const syncIdsPerMessage = 2_048
/** Ids in one request. */
export const syncGetIdsMax = 1_024
/** Packets under way in answer to one get. */
export const syncGetWindow = 4
/** Messages of ids of a log under way, once the first has shown that ids are what to ask for. */
export const syncIdsWindow = 2
/** Packets of a log under way while it is not clear how much of it we hold. */
export const syncUnsureWindow = 2
/** The most a peer may grant at once; more is no honest wish. */
export const syncWindowMax = 64
/** Requests of one session that wait while one is answered. */
export const syncGetsQueuedMax = 8
/** Times one session asks for the log, counting each change of mind between frames and ids. */
export const syncSincesMax = 16
/** Packets handed to the replica at one time: one is verified while the next is read. */
export const syncAdmitsMax = 2
/** Parents asked for by one session that its log did not bring; an honest log brings children after parents. */
export const syncMissingMax = 100_000
/** A cursor is written at least this often in a long stream, so that a cut one goes on where it was. */
export const syncCursorPackets = 8
/** Peers whose cursors are kept; the longest unused is dropped, and that peer is read from the start. */
export const syncCursorsMax = 256
/** Slower than this and a message is given up: a 64 kbit/s link passes, one byte in ten seconds does not. */
export const syncBytesPerSecondMin = 4 * KiB
export const syncReasonBytesMax = 64
/** Sessions that others opened, over all peers: each holds a few MiB at worst. */
export const syncSessionsMax = 32
/** Sessions that we open at one time. */
export const syncOpenMax = 4
/** The peer with the smaller id opens at once when two connect; the other waits this long for it. */
export const syncConnectGraceMs = 1_000
/** A second session after the first with a new peer: by then gossip includes it. */
export const syncSettleMs = 2_000
/** After news, the same peer is not asked again before this. */
export const syncAgainMs = 250
/** Sessions in a row with one peer while roots still differ and ops still move; then the interval decides. */
export const syncAgainMax = 5
/** Back-off after a failed session: doubles up to the ceiling. */
export const syncBackoffMs = 5_000
export const syncBackoffMsMax = 10 * 60_000
/** A comparison of all ids with one peer: 32 bytes an op. */
export const syncDeepMs = 10 * 60_000
export const syncDeepMsMax = 6 * 60 * 60_000
/** Sessions in a row that end with unequal roots before all ids are compared though ops still arrive. */
export const syncUnequalMax = 5
/** Times a peer may read our log from the start within syncBulkMs: it costs us what it costs nobody else. */
export const syncBulkMax = 8
export const syncBulkMs = 10 * 60_000
/** Peers whose state (back-off, last comparison) is remembered; gone ones are dropped first. */
export const syncPeersMax = 1_024
/** Coded symbols in one answer: 550 KiB at most. */
export const syncSymbolsPerMessage = 32_768
/** The first symbols asked for: enough for a difference of 15 ids, and to see how large it is. */
export const syncSymbolsFirst = 32
/** A difference that is expected to be larger is found by a descent: a sketch has symbols for about 45,000. */
export const syncSketchIdsMax = 40_000
/**
 * A set that differs from ours in more than this part of both, and in more than so many ids, is read whole: below, even
 * a descent costs less than the ids of what both have.
 */
export const syncFarShare = 0.5
export const syncFarIdsMin = 256
/** Arrivals behind two good cursors that are streamed without looking what of them is held: 2 KiB of ids at most. */
export const syncFewOps = 64
/** Nodes of the trie that one session asks for or answers: a set of ten million ids has fewer. */
export const syncTrieNodesMax = 1_048_576
/** Ids that one side offers the other in one session, 2 MiB; more wait for the next. */
export const syncOfferedMax = 262_144
/** Ops given for one short: only an author who seeks them has more than one. */
export const syncTwinsMax = 4
/** Ids found by a descent that are fetched before it goes on. */
export const syncFoundIdsMax = 4_096
/** Texts in a hello's `can`. */
export const syncCapabilitiesMax = 16
/** A set's name: `kind:` or `owner:` and what follows. */
export const syncSetNameBytesMax = 128
/** Sets that one node takes part in beside the whole: kinds and owners. */
export const syncSetsMax = 64
/** Ids waiting to be fetched from one peer. */
export const fetchQueueMax = 2_048
/** A peer that did not give what it was asked for is not asked again for this long; others are. */
export const fetchPauseMs = 30_000
/** After this an id is asked for elsewhere too. */
export const fetchElsewhereMs = 5_000

// Bundles
/** Frames of one part of a bundle, before it is compressed: what is read and sent at once, and lost with it. */
export const bundlePartBytes = 256 * KiB
/** Places in a bundle where reading is tried again behind damage; each may cost a hash over a part. */
export const bundleDamageMax = 1_000
/** Bundles being written at one time: each reads the whole log. */
export const bundlesMax = 4
/** Records named in one wish for a bundle. */
export const bundleRecordsMax = 10_000

// Packets
/** Frames in a packet; the smallest frame has 110 bytes. */
export const packetFramesMax = 8_192
/** Up to here zstd runs where it is (under 1 ms); larger goes to another thread. */
export const codecInlineBytesMax = 64 * KiB

// Gossip, continued
/** Local appends waiting for a publish that is under way; beyond it peers are told by a session instead. */
export const gossipQueueBytesMax = 4 * MiB
/** The validator answers within this, or the message is not forwarded: gossipsub's own scoring expects 100 ms. */
export const gossipValidateMs = 90
/** Messages of one peer being validated; more are ignored. */
export const gossipValidatingMax = 64
/** Ids in one announcement. */
export const gossipIdsMax = 1_024
/** Peers with a token bucket. */
export const gossipPeersMax = 1_024

// libp2p, continued
/** Inbound connections a second from one host: many nodes may share one. */
export const inboundConnectionsPerSecond = 64
/** Connections that have not finished their handshake. */
export const inboundPendingMax = 64
/** Connections from one /24 (IPv4) or /56 (IPv6); loopback and private ranges are exempt. */
export const connectionsPerSubnetMax = 8
/** A stream's window in the multiplexer, and so the bytes that may wait unread: 2 MiB move 20 MB/s over 100 ms. */
export const streamWindowBytes = 2 * MiB
/** Whole messages that wait to be received on one channel before the stream is paused. */
export const channelQueueBytes = 2 * MiB
export const channelCloseMs = 10_000
/** We look for peers while we have fewer. */
export const peersWanted = 8
/** Peers known longest and reached last time: tried first at start, so that no router or bootstrap list can hide all others. */
export const anchorPeers = 2
export const peerAddressesMax = 8
export const dialBackoffMs = 1_000
export const dialBackoffMsMax = 60_000
export const dialsMax = 4
/** Penalty points that drop a peer, and how fast they are forgotten. */
export const penaltyPointsMax = 100
export const penaltyForgetMsPerPoint = 6_000
/** How long a dropped peer is refused; doubles each time up to the ceiling. */
export const banMs = 10 * 60_000
export const banMsMax = 6 * 60 * 60_000
export const penalisedPeersMax = 4_096
/** The network's one key in the DHT: told, and looked for while peers are few. */
export const rendezvousProvideMs = 60 * 60_000
export const rendezvousFindMs = 60_000
export const rendezvousTimeoutMs = 30_000
/** A stopping node does not wait longer for its connections to close. */
export const networkStopMs = 700
/** Where a node listens for peers unless told otherwise, on loopback. */
export const listenPortDefault = 7071

// Policy
/** Blocks, and quotas of single owners: all are in memory, some 300 B each. */
export const policyRowsMax = 10_000
/** Characters of the reason for a block. */
export const policyReasonCharsMax = 256
/** What an op counts for in a quota beside its body: header, proof and rows. */
export const quotaOpBytes = 256
/** Owners and actors whose counts are at hand. */
export const usagesCachedMax = 4_096
/** Kinds and owners that refused ops belong to, kept once each. */
export const belongingsKeptMax = 4_096
/** Records with ops of blocked actors of which is known what others build on. */
export const builtOnRecordsMax = 256
/** Refusals by policy are told in the log once in so long, with their number. */
export const policyLogMs = 60_000
/** Ops released at once when a block ends. */
export const policyReleaseOps = 1_024

// Saved searches
/** All of them lie in one row that is read whole: 64 of the largest are under half a MiB. */
export const savedSearchesMax = 64
/** A record with more ops is not made again as it was at some moment: one change would cost all of them. */
export const statesAtOpsMax = 256
/** Ids read at once of the records that rely on a grant. */
export const relyingRecords = 1_000
/** Followers of matches; each costs a look at every record that changes. */
export const matchFollowersMax = 64
