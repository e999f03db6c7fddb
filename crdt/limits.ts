/**
 * Every bound of the wire, version 1. They are part of the protocol: two replicas that disagree on one of them
 * disagree on what is valid. A node's own bounds (queues, rates, caches) are in node/limits.ts.
 */
export const HEADER_BYTES_MAX = 1024
/** Real records reach 156 KB; half of them are under 1 KB. */
export const BODY_BYTES_MAX = 256 * 1024
export const PARENTS_MAX = 16
export const BATCH_OPS_MAX = 256
export const FRAME_BYTES_MAX = 1024 * 1024
/** Containers within containers; checked before any recursion. */
export const DEPTH_MAX = 32
/** Of a merged record: a path of 16 segments, a value of 32 containers, and what the state wraps around them. */
export const STATE_DEPTH_MAX = 64
export const KEY_BYTES_MAX = 128
export const ITEMS_MAX = 4096
export const PATH_SEGMENTS_MAX = 16
export const MEMBER_BYTES_MAX = 1024
export const SLUG_BYTES_MAX = 256
export const KIND_BYTES_MAX = 32
/** What one grant says: lists that a person still reads, and bodies that every node decodes again and again. */
export const RIGHTS_MAX = 16
export const RIGHT_BYTES_MAX = 32
export const GRANT_KINDS_MAX = 64
export const GRANT_RECORDS_MAX = 1024
export const GRANT_PATHS_MAX = 64
export const ERASE_REASON_BYTES_MAX = 256
/** Grants above one another: what an op's authority rests on must be read with it. */
export const CHAIN_MAX = 8
/** Keys of an identity, and so rotates plus one. */
export const IDENTITY_KEYS_MAX = 32
/** Advisory time, in ms since 1970: 43 bits last until the year 2248. */
export const TIME_MS_LIMIT = 2 ** 43
/** Merging a text costs its splices; a client with more writes a fresh text. */
export const SPLICES_MAX = 512
/** 16-ary trie of op ids (SPEC.md, "The root of a set"). */
export const TRIE_LEAF_IDS = 32
/** Coded symbols of a sketch (SPEC.md, "Sketch"): enough for a difference of 45,000 ids; kept, they are 1.3 MB. */
export const SKETCH_SYMBOLS_MAX = 65_536
/** Nodes of a trie asked for in one message; the answer has at most 1,025 bytes for each. */
export const TRIE_NODES_MAX = 512
/** An id found by a sketch or a trie is named by its first bytes. */
export const SHORT_BYTES = 8
/** The number of the merge rules, agreed in the handshake. */
export const SEM = 2
/** A record with more misfits than this is of another kind; nobody reads on. Not part of the wire. */
export const INVALID_FIELDS_MAX = 64
/**
 * Revokes and rotates that are named for one voided op: one is enough, and a key may be revoked a thousand times. Not part
 * of the wire.
 */
export const VOIDED_BY_NAMED_MAX = 16
/**
 * Pairs of equivocating ops that a merged record names: one proves the fault, and a key that forks makes thousands. Not
 * part of the wire.
 */
export const EQUIVOCATIONS_NAMED_MAX = 64
/*
 * Bounds of what this software authors. They are tighter than the wire's, so that every document that was read can be
 * written whole, merged with others and patched within the wire's bounds; a replica takes what the wire takes.
 */
/** Maps and lists within one another: leaves room for an op's own containers around a value. */
export const DOC_DEPTH_MAX = 24
/** Keys of maps outside lists: one patch may have to remove as many and write as many (ITEMS_MAX verbs in all). */
export const DOC_KEYS_MAX = 2048
/** One text: more cannot fit into a body. */
export const TEXT_BYTES_MAX = BODY_BYTES_MAX
/** A text with more splices is written afresh: concurrent writers may still add theirs before SPLICES_MAX. */
export const SPLICES_AUTHORED_MAX = 500
/** Keys whose text form is kept, about 300 bytes each: the owners of what one page or one batch shows, and more. */
export const DIDS_KEPT_MAX = 1024
/** Ids that one revoke, rotate, keep or erase lists: its body then stays under BODY_BYTES_MAX. */
export const IDS_LISTED_MAX = 8_000
