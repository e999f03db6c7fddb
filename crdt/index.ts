/**
 * crdt/: what replicas agree on. Bytes in, the same answer out, on every machine: no clock, no randomness, no disk, no
 * network, nothing asynchronous. It runs in a browser as it stands.
 *
 * Reading order: SPEC.md says the rules; op.ts and frame.ts how a change looks and is proved; sign.ts how one is made;
 * verify.ts whom to believe; set.ts how two replicas see that they hold the same.
 */
export * from './bytes.ts'
export * from './cbor.ts'
export * from './did.ts'
export * from './frame.ts'
export * from './limits.ts'
export * from './names.ts'
export * from './op.ts'
export * from './sign.ts'
export * from './suite.ts'
export * from './tree.ts'
export * from './value.ts'
export * from './verify.ts'
