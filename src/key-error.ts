/** A key or token file that is missing, unsafe or not what it should be. Apart from keys.ts, so that help loads no cryptography. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
  readonly code: 'missing' | 'unsafe' | 'exists' | 'malformed'
  constructor(code: KeyError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
