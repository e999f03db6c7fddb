/**
 * The disk as the core sees it: an ordered map of bytes with atomic batches. LevelDB in a node, a sorted map in tests
 * and simulations; one suite runs over both (test/node/disk.test.ts).
 */
export type Put = { readonly key: Uint8Array; readonly value: Uint8Array }
export type Del = { readonly key: Uint8Array; readonly value?: undefined }
export type Range = {
  readonly gte?: Uint8Array
  readonly gt?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

export interface Disk extends AsyncDisposable {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /**
   * All of it or nothing, also across a kill. With `sync` it has reached the disk when this resolves, and so has
   * every batch before it; without, a power cut may lose it (a killed process does not).
   */
  batch(changes: readonly (Put | Del)[], options?: { readonly sync?: boolean }): Promise<void>
  entries(range: Range): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>
  keys(range: Range): AsyncIterable<Uint8Array>
  /** Writes the files of these keys anew, so that what was deleted or overwritten is gone from them too. */
  compact?(range: { readonly gte: Uint8Array; readonly lte: Uint8Array }): Promise<void>
}
