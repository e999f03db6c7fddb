/**
 * What the ops of an authority record say, and erase: their bodies as bytes and as values (SPEC.md, "Authority").
 *
 * Readers never throw: bytes that are not of the form answer undefined. Writers throw a RangeError for what readers
 * would not take. What the values mean together is authority.ts.
 */
import { compareText, fromHex, isHex, toHex, utf8Length } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import {
  ERASE_REASON_BYTES_MAX,
  GRANT_KINDS_MAX,
  GRANT_PATHS_MAX,
  GRANT_RECORDS_MAX,
  IDS_LISTED_MAX,
  RIGHT_BYTES_MAX,
  RIGHTS_MAX,
  TIME_MS_LIMIT,
} from './limits.ts'
import { isKind } from './names.ts'
import type { ActorKey, Op, OpId, RecordId } from './op.ts'
import { isPath } from './place.ts'
import { isMap, type Path, type Value, type ValueMap } from './value.ts'

/** The rights that this version knows; a grant may name others, which give nothing. */
export const RIGHTS = ['create', 'delete', 'grant', 'write'] as const
export type Right = (typeof RIGHTS)[number]

export type Grant = {
  readonly to: ActorKey
  /** Ascending, distinct. */
  readonly rights: readonly string[]
  /** One of kinds and records at most; neither: all records of the owner. */
  readonly kinds?: readonly string[]
  readonly records?: readonly RecordId[]
  /** What may be written: these places and what is below them. Missing: everything. */
  readonly paths?: readonly Path[]
  /** ms since 1970, compared with an op's own w: hygiene, not security. */
  readonly expiry?: number
}
export type Revoke = { readonly grant: OpId; readonly keep: readonly OpId[] }
/** `of`: a revoke or a rotate that these ops outlive. */
export type Keep = { readonly of: OpId; readonly ids: readonly OpId[] }
/** 64 hex digits: the hash of the next key and of its own commitment. */
export type Identity = { readonly commitment: string }
export type Rotate = { readonly commitment: string; readonly keep: readonly OpId[] }
export type Erase = { readonly ids: readonly OpId[]; readonly reason?: string }

export function encodeGrant(grant: Grant): Uint8Array {
  const { to, rights, kinds, records, paths, expiry } = grant
  const map: Record<string, Value> = { to: hexBytes(to), rights: rights.toSorted(compareText) }
  if (kinds !== undefined) map['kinds'] = kinds.toSorted(compareText)
  if (records !== undefined) map['records'] = records.toSorted().map(hexBytes)
  if (paths !== undefined) map['paths'] = paths
  if (expiry !== undefined) map['expiry'] = expiry
  return checked(encode(map), readGrantBody, 'a grant')
}

export function encodeRevoke({ grant, keep }: Revoke): Uint8Array {
  return encode({ grant: hexBytes(grant), keep: joinIds(keep) })
}

export function encodeKeep({ of, ids }: Keep): Uint8Array {
  return encode({ of: hexBytes(of), ids: joinIds(ids) })
}

export function encodeIdentity({ commitment }: Identity): Uint8Array {
  return encode({ c: hexBytes(commitment) })
}

export function encodeRotate({ commitment, keep }: Rotate): Uint8Array {
  return encode({ c: hexBytes(commitment), keep: joinIds(keep) })
}

export function encodeErase({ ids, reason }: Erase): Uint8Array {
  const body = encode({ ids: joinIds(ids), ...(reason === undefined ? {} : { reason }) })
  return checked(body, readEraseBody, 'an erase')
}

/** What gives a key these rights: two grants when places and `delete` are named, for a delete takes what lies outside too. */
export function grantsFor(wish: Grant): Grant[] {
  const { paths, ...everywhere } = wish
  if (paths === undefined || !wish.rights.includes('delete')) return [wish]
  const others = wish.rights.filter((right) => right !== 'delete')
  const whole: Grant = { ...everywhere, rights: ['delete'] }
  return others.length === 0 ? [whole] : [{ ...wish, rights: others }, whole]
}

/** Ids in lists of as many as one revoke, rotate, keep or erase is given to hold. */
export function idLists(ids: readonly OpId[]): OpId[][] {
  const lists: OpId[][] = []
  for (let from = 0; from < ids.length; from += IDS_LISTED_MAX) lists.push(ids.slice(from, from + IDS_LISTED_MAX))
  return lists
}

export function readGrant(op: Op): Grant | undefined {
  return readGrantBody(op.body)
}

export function readRevoke({ body }: Op): Revoke | undefined {
  const map = mapOf(body, ['grant', 'keep'])
  const keep = idsOf(map?.['keep'])
  const grant = map?.['grant']
  return keep !== undefined && isHash(grant) ? { grant: toHex(grant), keep } : undefined
}

export function readKeep({ body }: Op): Keep | undefined {
  const map = mapOf(body, ['of', 'ids'])
  const ids = idsOf(map?.['ids'])
  const of = map?.['of']
  return ids !== undefined && isHash(of) ? { of: toHex(of), ids } : undefined
}

export function readIdentity({ body }: Op): Identity | undefined {
  const c = mapOf(body, ['c'])?.['c']
  return isHash(c) ? { commitment: toHex(c) } : undefined
}

export function readRotate({ body }: Op): Rotate | undefined {
  const map = mapOf(body, ['c', 'keep'])
  const keep = idsOf(map?.['keep'])
  const c = map?.['c']
  return keep !== undefined && isHash(c) ? { commitment: toHex(c), keep } : undefined
}

export function readErase({ body }: Op): Erase | undefined {
  return readEraseBody(body)
}

function readEraseBody(body: Uint8Array): Erase | undefined {
  const map = mapOf(body, ['ids'], ['reason'])
  const ids = idsOf(map?.['ids'])
  const reason = map?.['reason']
  if (ids === undefined) return undefined
  if (reason === undefined) return { ids }
  return typeof reason === 'string' && utf8Length(reason) <= ERASE_REASON_BYTES_MAX ? { ids, reason } : undefined
}

function readGrantBody(body: Uint8Array): Grant | undefined {
  const map = mapOf(body, ['to', 'rights'], ['kinds', 'records', 'paths', 'expiry'])
  if (map === undefined) return undefined
  const { to, rights, kinds, records, paths, expiry } = map
  if (!isHash(to) || !isTexts(rights, RIGHTS_MAX, isRight)) return undefined
  if (kinds !== undefined && (records !== undefined || !isTexts(kinds, GRANT_KINDS_MAX, isKind))) return undefined
  const ids = records === undefined ? undefined : readRecords(records)
  if (records !== undefined && ids === undefined) return undefined
  if (paths !== undefined && !isPaths(paths)) return undefined
  if (expiry !== undefined && !isTime(expiry)) return undefined
  return {
    to: toHex(to),
    rights,
    ...(kinds === undefined ? {} : { kinds }),
    ...(ids === undefined ? {} : { records: ids }),
    ...(paths === undefined ? {} : { paths }),
    ...(expiry === undefined ? {} : { expiry }),
  }
}

function isRight(text: string): boolean {
  return text.length > 0 && text.length <= RIGHT_BYTES_MAX && utf8Length(text) <= RIGHT_BYTES_MAX
}

function isTexts(value: Value | undefined, max: number, isItem: (text: string) => boolean): value is readonly string[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > max) return false
  const items = value as readonly Value[]
  if (!items.every((item) => typeof item === 'string' && isItem(item))) return false
  return items.every((item, i) => i === 0 || compareText(items[i - 1] as string, item as string) < 0)
}

function readRecords(value: Value): RecordId[] | undefined {
  if (!Array.isArray(value) || value.length < 1 || value.length > GRANT_RECORDS_MAX) return undefined
  const items = value as readonly Value[]
  if (!items.every(isHash)) return undefined
  const ids = (items as readonly Uint8Array[]).map(toHex)
  return ids.every((id, i) => i === 0 || (ids[i - 1] as string) < id) ? ids : undefined
}

function isPaths(value: Value): value is readonly Path[] {
  return (
    Array.isArray(value) && value.length >= 1 && value.length <= GRANT_PATHS_MAX && value.every((path) => isPath(path))
  )
}

function isTime(value: Value): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < TIME_MS_LIMIT
}

/** The map that the bytes are, with all of `required`, any of `optional`, and nothing else. */
function mapOf(body: Uint8Array, required: readonly string[], optional: readonly string[] = []): ValueMap | undefined {
  const read = decode(body)
  if (!read.ok || !isMap(read.value)) return undefined
  const keys = Object.keys(read.value)
  if (!required.every((key) => keys.includes(key))) return undefined
  return keys.every((key) => required.includes(key) || optional.includes(key)) ? read.value : undefined
}

function isHash(value: Value | undefined): value is Uint8Array {
  return value instanceof Uint8Array && value.length === ID_BYTES
}

const ID_BYTES = 32

function idsOf(value: Value | undefined): OpId[] | undefined {
  if (!(value instanceof Uint8Array) || value.length % ID_BYTES !== 0) return undefined
  const hex = toHex(value)
  return Array.from({ length: value.length / ID_BYTES }, (_, i) => hex.slice(i * 2 * ID_BYTES, (i + 1) * 2 * ID_BYTES))
}

function joinIds(ids: readonly OpId[]): Uint8Array {
  return fromHex(ids.map((id) => hexText(id)).join(''))
}

function hexBytes(hex: string): Uint8Array {
  return fromHex(hexText(hex))
}

function hexText(hex: string): string {
  if (!isHex(hex, 2 * ID_BYTES)) throw new RangeError(`expected 64 hex digits, got ${JSON.stringify(hex).slice(0, 80)}`)
  return hex
}

function checked(body: Uint8Array, read: (body: Uint8Array) => unknown, what: string): Uint8Array {
  if (read(body) === undefined) throw new RangeError(`expected ${what} within the limits of SPEC.md, "Authority"`)
  return body
}
