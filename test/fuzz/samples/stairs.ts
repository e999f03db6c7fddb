/** A promise that three bytes in a row break: each is a block of its own, and mutants of the one good input hardly have all. */
export function stairs(bytes: Uint8Array): void {
  if (bytes[0] !== 0x5f) return
  if (bytes[1] !== 0x18) return
  if (bytes[2] !== 0xf6) return
  throw new Error('all three steps')
}
