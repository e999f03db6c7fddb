/**
 * src/: what a person touches. This is the door for programs: a client that signs, posts, reads, searches and follows
 * changes, and a record as a document to edit.
 *
 * Reading order: reader.ts and client.ts for what can be asked and written; signed-write.ts and proof.ts for how nothing
 * has to be believed; open-record.ts for editing; cli.ts for the command line; main.ts for a whole node.
 */
export type * from './answers.ts'
export * from './client.ts'
export * from './client-error.ts'
export type { Change, FollowOptions, MatchChange } from './feed.ts'
export { KeyError, newKeyFile, type PublisherKey, readKeyFile } from './keys.ts'
export { type Committed, type OpenOptions, OpenRecord, openRecord, REMOTE } from './open-record.ts'
export type { Signer } from './post-ops.ts'
export type { Proven } from './proof.ts'
export { parseReference, type Reference } from './reference.ts'
