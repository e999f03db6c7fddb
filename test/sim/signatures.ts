/**
 * Signatures in a simulation: made for real, and believed when they are seen again.
 *
 * What a key of ours has signed, or what was checked once, is remembered by (key, message, signature), so that twenty
 * nodes check one op once. `real` remembers nothing: one seed in fifty runs so, to show that memory changes no answer.
 */
import { nativeSuite, signerFromSeed } from '../../node/native.ts'
import type { Signature, SignatureChecker, Signer } from '../../node/replica-types.ts'

export class Signatures implements SignatureChecker {
  readonly #known = new Map<string, boolean>()
  readonly #real: boolean

  constructor(real: boolean) {
    this.#real = real
  }

  /** The key of this number. */
  signer(number: number): Signer {
    const signer = signerOf(number)
    return {
      key: signer.key,
      sign: (message) => {
        const signature = signer.sign(message)
        this.#known.set(nameOf({ key: Buffer.from(signer.key, 'hex'), message, signature }), true)
        return signature
      },
    }
  }

  async verify(items: readonly Signature[]): Promise<readonly boolean[]> {
    return items.map((item) => this.isGood(item.key, item.message, item.signature))
  }

  readonly isGood = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
    if (this.#real) return nativeSuite.verify(key, message, signature)
    const name = nameOf({ key, message, signature })
    let good = this.#known.get(name)
    if (good === undefined) {
      good = nativeSuite.verify(key, message, signature)
      this.#known.set(name, good)
    }
    return good
  }
}

const signers = new Map<number, Signer>()

function signerOf(number: number): Signer {
  let signer = signers.get(number)
  if (signer === undefined) {
    const seed = new Uint8Array(32)
    new DataView(seed.buffer).setUint32(0, number + 1)
    signer = signerFromSeed(seed)
    signers.set(number, signer)
  }
  return signer
}

function nameOf({ key, message, signature }: Signature): string {
  return latin1(key) + latin1(signature) + latin1(message)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
