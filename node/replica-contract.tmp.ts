/* The face of node/replica.ts, now in replica-types.ts. Deleted when nothing imports it. */
export * from './replica-types.ts'
