/**
 * A publisher with a key of its own, who signs frames for tests: honest ones, and with `signOps` any others.
 */
import {
  type Body,
  type Draft,
  draftOp,
  encodeBody,
  encodeVerbs,
  networkId,
  type Op,
  type ParsedFrame,
  recordId,
  signOps,
  type Verb,
} from '../../crdt/index.ts'
import { nativeSuite, signerFromSeed } from '../../node/native.ts'

export const net = networkId('test', nativeSuite.sha256)
const sha256 = nativeSuite.sha256

export type Publisher = ReturnType<typeof publisher>

/** The n-th publisher; the same key for the same n. */
export function publisher(n = 1, options: { kind?: string; now?: () => number } = {}) {
  const signer = signerFromSeed(new Uint8Array(32).fill(n))
  const { kind = 'thing', now = () => 1_700_000_000_000 } = options
  const owner = `01${signer.key}`
  const draft = (wanted: Draft): Op => draftOp(wanted, { net, key: signer.key, sha256 })
  const frames = (ops: readonly Op[]): ParsedFrame[] =>
    signOps(ops, { net, key: signer.key, sha256, sign: (message) => signer.sign(message) }).map(({ frame }) => frame)
  return {
    signer,
    owner,
    kind,
    recordOf: (slug: string) => recordId({ net, owner, kind, slug }, sha256),
    genesis: (slug: string, name = slug, w = now()) =>
      draft({ type: 'genesis', owner, kind, slug, w, body: encodeBody(named(name, slug)) }),
    put: (record: string, parents: readonly string[], name: string, w = now()) =>
      draft({ type: 'put', record, parents, w, body: encodeBody(named(name)) }),
    patch: (record: string, parents: readonly string[], verbs: readonly Verb[], w = now()) =>
      draft({ type: 'patch', record, parents, w, body: encodeVerbs(verbs) }),
    set: (record: string, parents: readonly string[], name: string, w = now()) =>
      draft({ type: 'patch', record, parents, w, body: encodeVerbs([['set', ['name'], name]]) }),
    delete: (record: string, parents: readonly string[], w = now()) =>
      draft({ type: 'delete', record, parents, w, body: new Uint8Array(0) }),
    /** As few frames as the limits allow. */
    frames,
    bytes: (ops: readonly Op[]): Uint8Array[] => frames(ops).map((frame) => frame.bytes),
  }
}

export function named(name: string, slug?: string): Body {
  return { ...(slug !== undefined && { slug }), f: [[['name'], name]], s: [], t: [] }
}
