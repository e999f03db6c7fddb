/**
 * node/: one running replica, everything with a lifetime.
 *
 * Reading order: face.ts is what the faces see of it; catalogue.ts how records are written, read and found; store.ts
 * what is on disk; limits.ts every bound.
 */
export * from './catalogue.ts'
export * from './environment.ts'
export * from './errors.ts'
export * from './face.ts'
export * from './limits.ts'
export * from './metrics.ts'
export * from './replica-types.ts'
export * from './search.ts'
export * from './status.ts'
