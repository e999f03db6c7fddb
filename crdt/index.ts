/**
 * crdt/: what replicas agree on. Bytes in, the same answer out, on every machine: no clock, no randomness, no disk, no
 * network, nothing asynchronous. It runs in a browser as it stands.
 *
 * Reading order: SPEC.md says the rules; op.ts and frame.ts how a change looks and is proved; sign.ts how one is made;
 * verify.ts whom to believe; body.ts and merge.ts how ops become a record; authority.ts who may write it; decide.ts and
 * author.ts how a document becomes an op; set.ts how two replicas see that they hold the same, sketch.ts and trie.ts what
 * they differ in.
 */
export * from './author.ts'
export * from './authority.ts'
export * from './authority-body.ts'
export * from './body.ts'
export * from './bytes.ts'
export * from './cbor.ts'
export * from './dag.ts'
export * from './decide.ts'
export { decimalOf, withNumbers } from './decimals.ts'
export * from './did.ts'
export * from './equal.ts'
export { extend } from './fold.ts'
export * from './frame.ts'
export * from './json.ts'
export { type Judgement, judge } from './judge.ts'
export * from './kind.ts'
export * from './kinds/index.ts'
export * from './limits.ts'
export * from './merge.ts'
export * from './merge-patch.ts'
export * from './names.ts'
export * from './op.ts'
export * from './pointer.ts'
export * from './reserved.ts'
export * from './schema.ts'
export * from './self-test.ts'
export * from './set.ts'
export * from './sign.ts'
export { NO_KEY, type SipKey, sipHash } from './siphash.ts'
export * from './sketch.ts'
export * from './sketch-solver.ts'
export * from './sketch-wire.ts'
export * from './state.ts'
export * from './suite.ts'
export * from './tree.ts'
export * from './trie.ts'
export * from './validate.ts'
export * from './value.ts'
export * from './verify.ts'
export * from './view.ts'
