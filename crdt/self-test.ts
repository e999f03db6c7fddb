/**
 * The cases a verifier must answer right before a node trusts it: the ones that libraries and runtimes are known to
 * differ on (SPEC.md, "Signatures"). They are those of test/vectors/signature.json but for the long one.
 */
import { fromHex } from './bytes.ts'
import type { Verify } from './suite.ts'

/**
 * Undefined when `verify` answers every case right, else what it answered wrongly. A replica that would answer
 * otherwise than the others must not start.
 */
export function selfTest(verify: Verify): string | undefined {
  for (const [comment, valid, key, message, signature] of CASES) {
    let answer: boolean
    try {
      answer = verify(fromHex(key), fromHex(message), fromHex(signature))
    } catch (error) {
      return `${comment}: expected ${valid}, got ${String(error)}`
    }
    if (answer !== valid) return `${comment}: expected ${valid}, got ${answer}`
  }
  return undefined
}

/** What it is, whether it holds, key, message, signature. */
const CASES: readonly (readonly [comment: string, valid: boolean, key: string, message: string, signature: string])[] =
  [
    [
      'a plain signature',
      true,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c',
    ],
    [
      'over no bytes',
      true,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a303ea9976f1fc75797f55d348107e01e143b688de5cfee25ae40d205d117b0e50d',
    ],
    [
      'the other sign bit in A',
      true,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a48731180b7',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30141f8b862189f7337344b3cb1b932c4b481680e54c251dd3b8016477049c8f08',
    ],
    [
      'the other sign bit in R',
      true,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9ab0c0b15f53bf5d508d1f96ed33e9aff48bf5e5170ffde02afa6388a27b3da88a01',
    ],
    [
      'A of mixed order, and k happens to be divisible by 8',
      true,
      'e9c01f432186761d2962bc609c7c1e004ff87be7d59bfc6ffde355e7f22466ea',
      '6d31',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a302df87419a6ad352b10dfa181b4cd92a0bb7dcd8abfa04dd3096f097c1e460609',
    ],
    [
      'A and R of mixed order, and their small parts cancel',
      true,
      'e9c01f432186761d2962bc609c7c1e004ff87be7d59bfc6ffde355e7f22466ea',
      '6d32',
      '56d836dfcee22f7be6aed0299de3b18e51884720c4cd2628842a5703164c660330f6824295145b8e8ba00a711a5218a1ddab5a8498d447abe7c01d12d44d9505',
    ],
    [
      'a bit of R changed',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6ddf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c',
    ],
    [
      'a bit of S changed',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3002920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c',
    ],
    [
      'a bit of the message changed',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '71656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c',
    ],
    [
      'the key of another',
      false,
      '534b943ce198654ebb6b5a1c7f1dcf7e68dcfe43fd741d91d1ecb98e72e569d1',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c',
    ],
    [
      'S + L: the same signature twice',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30f065051a0e158acc8b31bf54cfb35bb0f3f410012a409dc3c5e9e73a137d7c1c',
    ],
    [
      'S = L',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010',
    ],
    [
      'a key of 31 bytes',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a48731180',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c',
    ],
    [
      'a signature of 63 bytes',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c',
    ],
    [
      'a signature of 65 bytes',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a3003920fbdf3b17774b594c7b1f0b97c9bf3f410012a409dc3c5e9e73a137d7c0c00',
    ],
    [
      'all zero bytes: A and R of order 4',
      false,
      '0000000000000000000000000000000000000000000000000000000000000000',
      '70656572616765',
      '00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000',
    ],
    [
      'A is the identity, so that any message holds',
      false,
      '0100000000000000000000000000000000000000000000000000000000000000',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30345546d8307a906a8c1f6e8843ef47eb5f308a632d5e7f99b78f60a99050140d',
    ],
    [
      'A of order 8, and k happens to be divisible by 8',
      false,
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      '6d3133',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30345546d8307a906a8c1f6e8843ef47eb5f308a632d5e7f99b78f60a99050140d',
    ],
    [
      'A is the identity, written with y + p',
      false,
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30345546d8307a906a8c1f6e8843ef47eb5f308a632d5e7f99b78f60a99050140d',
    ],
    [
      'A is the identity, written with the sign bit set',
      false,
      '0100000000000000000000000000000000000000000000000000000000000080',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30345546d8307a906a8c1f6e8843ef47eb5f308a632d5e7f99b78f60a99050140d',
    ],
    [
      'A with y = p',
      false,
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30345546d8307a906a8c1f6e8843ef47eb5f308a632d5e7f99b78f60a99050140d',
    ],
    [
      'A is on no point of the curve',
      false,
      '0200000000000000000000000000000000000000000000000000000000000000',
      '70656572616765',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30345546d8307a906a8c1f6e8843ef47eb5f308a632d5e7f99b78f60a99050140d',
    ],
    [
      'R is the identity',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '0100000000000000000000000000000000000000000000000000000000000000fc8b5342c7019cb53b130d5c2970065a22c0748df1d67e8074cbfc349e2fa80f',
    ],
    [
      'R is the identity, written with y + p',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f659ebca02a75a6680912e8ed8e611feda621c78a7d5059bf6fec2a23f674d90e',
    ],
    [
      'R of order 2, and the equation holds',
      false,
      'f673bf9ef4e6ed5e4ddd7462cb99e27856d76ab0ccda782ee156c5b78cee7fc8',
      '6d30',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f5e84349c2db51703490236fe80316fc8d8931e081209ad91760cff0e3535db04',
    ],
    [
      'A of mixed order: holds only when multiplied by the cofactor',
      false,
      'e9c01f432186761d2962bc609c7c1e004ff87be7d59bfc6ffde355e7f22466ea',
      '6d37',
      '6cdf61ca8c610a78259ed684f8287e3b099493ec9d70d913a6dd9ce4da1f9a30783390054a2e321b6c1a127f4b6d85406bcba91fd90d48d0299d95de9abf390d',
    ],
    [
      'R of mixed order: holds only when multiplied by the cofactor',
      false,
      'f78b40610b1912a1b2228b9d34661d87a928954f332587d11ea93a4873118037',
      '70656572616765',
      '56d836dfcee22f7be6aed0299de3b18e51884720c4cd2628842a5703164c66037378508cc6c805cb9bc5e62e8b8f9a350ce35881cbb297641a6d7b87f741a305',
    ],
  ]
