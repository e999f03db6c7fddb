/**
 * Room for the sets and marks of one query, which the next query uses again: to have it from the system anew each time
 * would cost more than most queries do.
 */
import { scratchBytesKept } from './limits.ts'
import type { Bits } from './search-bits.ts'

const CHUNK_BYTES = 1 << 20

export class Scratch {
  #chunks: ArrayBuffer[] = []
  #chunk = 0
  #end = 0

  /** What was given before is not to be looked at any more. */
  begin(): void {
    for (let kept = 0, at = 0; at < this.#chunks.length; at++) {
      kept += (this.#chunks[at] as ArrayBuffer).byteLength
      if (kept > scratchBytesKept) this.#chunks.length = at
    }
    this.#chunk = 0
    this.#end = 0
  }

  /** A set of none of `size` documents. */
  bits(size: number): Bits {
    const words = (size + 31) >>> 5
    const at = this.#take(words * 4)
    return new Uint32Array(this.#chunks[this.#chunk] as ArrayBuffer, at, words).fill(0)
  }

  /** A set of the same documents. */
  copy(bits: Bits): Bits {
    const at = this.#take(bits.length * 4)
    const copy = new Uint32Array(this.#chunks[this.#chunk] as ArrayBuffer, at, bits.length)
    copy.set(bits)
    return copy
  }

  /** No marks. */
  bytes(size: number): Uint8Array {
    const at = this.#take(size)
    return new Uint8Array(this.#chunks[this.#chunk] as ArrayBuffer, at, size).fill(0)
  }

  /** Where in the chunk at hand. */
  #take(bytes: number): number {
    const needed = (bytes + 7) & ~7
    while (this.#end + needed > (this.#chunks[this.#chunk]?.byteLength ?? 0)) {
      if (this.#chunks.length > 0) this.#chunk++
      this.#end = 0
      if (this.#chunk >= this.#chunks.length) this.#chunks.push(new ArrayBuffer(Math.max(CHUNK_BYTES, needed)))
    }
    const at = this.#end
    this.#end += needed
    return at
  }
}
