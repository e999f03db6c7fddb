/**
 * A disk in memory that fails when it is told to, and whose rows can be damaged: faults come in pairs, failed and not
 * written, failed but written.
 */
import type { Del, Put } from '../../node/disk.ts'
import { MemoryDisk } from '../../node/disk-memory.ts'
import { NodeError } from '../../node/errors.ts'

export class FaultyDisk extends MemoryDisk {
  #next: { readonly code: string; readonly written: boolean; left: number } | undefined
  /** Resolves before each batch is written; a test holds the writer with it. */
  gate: Promise<void> = Promise.resolve()
  batches: { readonly rows: number; readonly sync: boolean }[] = []

  /** The next `times` batches fail with this code of the system's, having been written or not. */
  fail(code: 'EIO' | 'ENOSPC', options: { written: boolean; times?: number }): void {
    this.#next = { code, written: options.written, left: options.times ?? 1 }
  }

  override async batch(changes: readonly (Put | Del)[], options?: { readonly sync?: boolean }): Promise<void> {
    await this.gate
    this.batches.push({ rows: changes.length, sync: options?.sync === true })
    const fault = this.#next
    if (fault === undefined || fault.left === 0) return super.batch(changes, options)
    fault.left--
    if (fault.written) await super.batch(changes, options)
    throw new NodeError('store-failed', `couldn't write the store: ${fault.code}`)
  }

  async keysFrom(prefix: string): Promise<Uint8Array[]> {
    const keys: Uint8Array[] = []
    const start = new TextEncoder().encode(prefix)
    for await (const key of this.keys({ gte: start, lt: Uint8Array.of(...start.slice(0, -1), start.at(-1)! + 1) }))
      keys.push(key)
    return keys
  }

  /** Flips one bit of the value of the n-th row whose key begins with `prefix`. */
  async damage(prefix: string, n = 0, at = 20): Promise<void> {
    const key = (await this.keysFrom(prefix))[n]!
    const value = (await this.get(key))!.slice()
    value[at % value.length]! ^= 1
    await super.batch([{ key, value }], { sync: true })
  }
}
