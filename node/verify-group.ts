/**
 * A group of signatures as one buffer, so that it moves between threads without being copied.
 *
 *   per signature: key 32, signature 64, length of the message u32be, message
 */
import type { Signature } from './replica-types.ts'

const FIXED = 32 + 64 + 4

/** Of signatures that passed the rule's byte checks, so every key has 32 bytes and every signature 64. */
export function packGroup(items: readonly Signature[]): Uint8Array<ArrayBuffer> {
  const group = new Uint8Array(items.reduce((sum, item) => sum + FIXED + item.message.length, 0))
  const view = new DataView(group.buffer)
  let at = 0
  for (const { key, message, signature } of items) {
    group.set(key, at)
    group.set(signature, at + 32)
    view.setUint32(at + 96, message.length)
    group.set(message, at + FIXED)
    at += FIXED + message.length
  }
  return group
}

export function unpackGroup(group: Uint8Array): Signature[] {
  const view = new DataView(group.buffer, group.byteOffset, group.length)
  const items: Signature[] = []
  for (let at = 0; at < group.length; ) {
    const end = at + FIXED + view.getUint32(at + 96)
    items.push({
      key: group.subarray(at, at + 32),
      signature: group.subarray(at + 32, at + 96),
      message: group.subarray(at + FIXED, end),
    })
    at = end
  }
  return items
}
