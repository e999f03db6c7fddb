/**
 * The world failed: the disk, the network, another process. Codes are part of the interface and stand in the README
 * with what to do; a stranger's bad input is never an error but a verdict.
 */
export type NodeErrorCode =
  | 'store-locked' // another process has this data folder open
  | 'store-corrupt' // a row does not read back as what was written
  | 'store-format' // the folder was written by a newer version
  | 'store-failed' // the disk refused a read or a write
  | 'wrong-network' // the folder belongs to another network
  | 'key-unsafe' // a key or token file that others can read
  | 'key-journal' // signing would fork our own history (restored backup)
  | 'bad-runtime' // the signature self-test failed on this runtime
  | 'address-in-use'
  | 'peer-gone'
  | 'peer-misbehaved'
  | 'search-unavailable' // the index is being rebuilt
  | 'busy' // a bounded queue is full
  | 'closed'

export class NodeError extends Error {
  readonly code: NodeErrorCode
  constructor(code: NodeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'NodeError'
    this.code = code
  }
}
