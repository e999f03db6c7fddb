/** What can befall a file: a bit flips, its end is lost, it is gone, or it is full of zeros. */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'

export type Fault = 'flip' | 'truncate' | 'delete' | 'zero'

/** Answers what was done, for people; undefined when the file is too short for it. */
export function damage(path: string, fault: Fault, random: () => number): string | undefined {
  if (fault === 'delete') {
    rmSync(path)
    return 'deleted'
  }
  const { size } = statSync(path)
  if (size === 0) return undefined
  const bytes = readFileSync(path)
  const at = Math.floor(random() * size)
  if (fault === 'truncate') {
    writeFileSync(path, bytes.subarray(0, at))
    return `cut to ${at} of ${size} bytes`
  }
  if (fault === 'zero') {
    const end = Math.min(size, at + 512)
    if (bytes.subarray(at, end).every((byte) => byte === 0)) return undefined
    bytes.fill(0, at, end)
    writeFileSync(path, bytes)
    return `zeros from byte ${at} to ${end} of ${size}`
  }
  const bit = Math.floor(random() * 8)
  bytes[at]! ^= 1 << bit
  writeFileSync(path, bytes)
  return `bit ${bit} of byte ${at} of ${size}`
}
