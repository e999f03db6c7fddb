/** Keys of the vectors: of seeds whose bytes are all one number. They are public, so they must never own anything. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { toHex } from '../../crdt/index.ts'

function privateKey(seed: number) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

export function keyOf(seed: number): string {
  return toHex(createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' }).subarray(-32))
}

export function signWith(seed: number): (message: Uint8Array) => Uint8Array {
  const key = privateKey(seed)
  return (message) => new Uint8Array(sign(null, message, key))
}
