/**
 * Bytes made a little wrong: what a fuzzer feeds to decoders. Half of the mutants of canonical bytes are canonical again,
 * so that they reach what lies behind the decoder.
 */
import { decode, encode, type Value, type ValueMap } from '../../crdt/index.ts'
import type { Chance } from '../sim/chance.ts'

const EDGES = [
  0, 1, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x40, 0x58, 0x5f, 0x60, 0x7f, 0x80, 0x98, 0xa0, 0xb8, 0xf6, 0xfb, 0xff,
]
const NUMBERS = [0, -1, 1, 0.5, 255, 256, 4096, 65_536, 2 ** 31, 2 ** 32, 2 ** 43, 2 ** 53 - 1, -(2 ** 53 - 1), 1e300]
const TEXTS = ['', 'a', '__proto__', 'constructor', 'é', '😀', 'x'.repeat(129), 'frames', 'ids', 'set', 'splice']

/** One to a few changes; `other` is something to borrow from. */
export function mutate(bytes: Uint8Array, other: Uint8Array, chance: Chance, bytesMax: number): Uint8Array {
  let mutant = bytes
  for (let changes = chance.int(1, 3); changes > 0; changes--) {
    mutant = (chance.yes(0.5) ? mutateValue(mutant, chance) : undefined) ?? mutateBytes(mutant, other, chance)
  }
  return mutant.length > bytesMax ? mutant.subarray(0, bytesMax) : mutant
}

function mutateBytes(bytes: Uint8Array, other: Uint8Array, chance: Chance): Uint8Array {
  const copy = bytes.slice()
  const at = chance.int(0, Math.max(0, copy.length - 1))
  const length = Math.min(chance.int(1, 32), copy.length - at)
  const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts))
  switch (copy.length === 0 ? 3 : chance.int(0, 8)) {
    case 0:
      copy[at]! ^= 1 << chance.int(0, 7)
      return copy
    case 1:
      copy[at] = chance.pick(EDGES)
      return copy
    case 2:
      copy[at]! += chance.pick([-1, 1])
      return copy
    case 3:
      return joined(copy.subarray(0, at), chance.bytes(chance.int(1, 8)), copy.subarray(at))
    case 4:
      return joined(copy.subarray(0, at), copy.subarray(at + length))
    case 5:
      return joined(copy.subarray(0, at + length), copy.subarray(at))
    case 6:
      return copy.subarray(0, at)
    case 7: {
      const from = chance.int(0, Math.max(0, other.length - 1))
      return joined(copy.subarray(0, at), other.subarray(from))
    }
    default:
      copy.set(chance.bytes(length), at)
      return copy
  }
}

/** Canonical bytes of a value that is a little different; undefined when they are none, or cannot be written. */
function mutateValue(bytes: Uint8Array, chance: Chance): Uint8Array | undefined {
  const read = decode(bytes)
  if (!read.ok) return undefined
  try {
    return encode(changed(read.value, chance))
  } catch {
    return undefined
  }
}

function changed(value: Value, chance: Chance): Value {
  if (Array.isArray(value) && value.length > 0 && chance.yes(0.9)) {
    const list = [...(value as Value[])]
    const at = chance.int(0, list.length - 1)
    const draw = chance.float()
    if (draw < 0.15) list.splice(at, 1)
    else if (draw < 0.3) list.splice(at, 0, list[chance.int(0, list.length - 1)]!)
    else if (draw < 0.35) return Array.from({ length: chance.pick([17, 257, 600]) }, () => list[at]!)
    else list[at] = changed(list[at]!, chance)
    return list
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    const map = { ...(value as ValueMap) } as Record<string, Value>
    const keys = Object.keys(map)
    if (keys.length > 0 && chance.yes(0.9)) {
      const key = chance.pick(keys)
      const draw = chance.float()
      if (draw < 0.15) delete map[key]
      else if (draw < 0.25) map[chance.pick(TEXTS)] = map[key]!
      else map[key] = changed(map[key]!, chance)
      return map
    }
  }
  if (value instanceof Uint8Array && chance.yes(0.8)) return mutateBytes(value, value, chance)
  if (typeof value === 'number' && chance.yes(0.8))
    return chance.yes(0.5) ? chance.pick(NUMBERS) : value + chance.pick([-1, 1])
  if (typeof value === 'string' && chance.yes(0.7)) return chance.pick(TEXTS)
  return chance.pick<Value>([null, true, 0, 'a', new Uint8Array(32), [], {}, [value], { a: value }])
}
