/** What a node takes on disk, by part of its data folder, and what is left there. */
import { statfsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Storage } from './face.ts'
import { storageKeptMs } from './limits.ts'

/** Measures at most once in `storageKeptMs`, however often it is asked. */
export function storageOf(data: string, monotonic: () => number): () => Promise<Storage> {
  let measured: { readonly at: number; readonly storage: Promise<Storage> } | undefined
  return () => {
    const now = monotonic()
    if (measured === undefined || now - measured.at >= storageKeptMs) measured = { at: now, storage: measure(data) }
    return measured.storage
  }
}

/** Bytes that this process may still write there; undefined when the system does not say. One call of microseconds. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}

async function measure(data: string): Promise<Storage> {
  const sizes = { ops: 0, search: 0, other: 0 }
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const part = path.startsWith(join(data, 'ops')) ? 'ops' : path.startsWith(join(data, 'search')) ? 'search' : 'other'
    // LevelDB removes files as it compacts: what is gone takes no room.
    sizes[part] += (await stat(path).catch(() => undefined))?.size ?? 0
  }
  return sizes
}
