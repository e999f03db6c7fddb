/**
 * Memory for what the thread that builds the index and the one that answers from it both look at: given from one to the
 * other it is not copied. It is written before it is given, and never after that.
 *
 * The collector does not count such memory, so nothing is to be kept in it that is only needed for a while.
 */
export type Flat = Uint8Array | Uint16Array | Uint32Array | Float64Array
type FlatKind<T extends Flat> = {
  new (buffer: SharedArrayBuffer, at: number, length: number): T
  readonly BYTES_PER_ELEMENT: number
}

/** Small arrays share chunks, the first of which are small too: most segments are those of a few records. */
const CHUNK_BYTES_LEAST = 16 << 10
const CHUNK_BYTES_MOST = 256 << 10
const ALIGNED = 8

/** The arrays of one segment: what is taken from a room is freed together. */
export class Room {
  #chunk = new SharedArrayBuffer(0)
  #end = 0

  /** Zeros. */
  take<T extends Flat>(Kind: FlatKind<T>, length: number): T {
    const bytes = length * Kind.BYTES_PER_ELEMENT
    if (bytes > CHUNK_BYTES_MOST / 4) return new Kind(new SharedArrayBuffer(bytes), 0, length)
    if (this.#end + bytes > this.#chunk.byteLength) {
      const next = Math.min(CHUNK_BYTES_MOST, Math.max(CHUNK_BYTES_LEAST, this.#chunk.byteLength * 2))
      this.#chunk = new SharedArrayBuffer(Math.max(next, bytes))
      this.#end = 0
    }
    const array = new Kind(this.#chunk, this.#end, length)
    this.#end += Math.ceil(bytes / ALIGNED) * ALIGNED
    return array
  }

  /** A copy. */
  keep<T extends Flat>(array: T): T {
    const kept = this.take(array.constructor as FlatKind<T>, array.length)
    kept.set(array as never)
    return kept
  }
}

/** What is there, in a larger array. */
export function copied<T extends Flat>(to: T, from: T): T {
  to.set(from as never)
  return to
}
