/** Sets of document numbers of one segment, a bit a document. All sets of one segment have the same length. */
export type Bits = Uint32Array

export function bitsOf(size: number): Bits {
  return new Uint32Array((size + 31) >>> 5)
}

/** All numbers below `size`. */
export function fullBits(size: number): Bits {
  const bits = bitsOf(size).fill(0xffffffff)
  if (size % 32 !== 0) bits[bits.length - 1] = 2 ** (size % 32) - 1
  return bits
}

export function hasBit(bits: Bits, at: number): boolean {
  return (((bits[at >>> 5] as number) >>> (at & 31)) & 1) === 1
}

export function setBit(bits: Bits, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] as number) | (1 << (at & 31))
}

export function clearBit(bits: Bits, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] as number) & ~(1 << (at & 31))
}

export function keepBits(bits: Bits, others: Bits): void {
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) & (others[i] as number)
}

export function addBits(bits: Bits, others: Bits): void {
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) | (others[i] as number)
}

export function dropBits(bits: Bits, others: Bits): void {
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) & ~(others[i] as number)
}

/** How many bits of a 32-bit number are set. */
export function ones(word: number): number {
  let left = word - ((word >>> 1) & 0x55555555)
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333)
  return Math.imul((left + (left >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

export function countBits(bits: Bits): number {
  let count = 0
  for (let i = 0; i < bits.length; i++) count += ones(bits[i] as number)
  return count
}

/** Writes the numbers, ascending and each with `base` added, to `into` from `at` on; returns where they end. */
export function listBits(bits: Bits, base: number, into: Uint32Array, at: number): number {
  for (let i = 0; i < bits.length; i++) {
    let word = bits[i] as number
    while (word !== 0) {
      const lowest = word & -word
      into[at++] = base + i * 32 + (31 - Math.clz32(lowest))
      word ^= lowest
    }
  }
  return at
}
