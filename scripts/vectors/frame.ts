/** Frames: whole and partial ones, ops refused by themselves, and frames refused as a whole. */
import {
  authorityRecord,
  concat,
  type Draft,
  decode,
  encode,
  encodeErase,
  encodeGrant,
  encodeIdentity,
  encodeKeep,
  encodeRevoke,
  encodeRotate,
  fromHex,
  networkId,
  openFrame,
  ownerOfKey,
  pureSha256,
  pureSuite,
  selectFromFrame,
  signBatch,
  signedBytes,
  toHex,
  treeRoot,
  utf8,
  type Value,
} from '../../crdt/index.ts'
import { keyOf, signWith } from './keys.ts'

const NET = networkId('peerage')
const KEY = keyOf(1)
const OWNER = ownerOfKey(KEY)
const RECORD = toHex(pureSha256(utf8('record')))
const id = (text: string): string => toHex(pureSha256(utf8(text)))

export function frameVectors(): unknown {
  return {
    comment:
      'SPEC.md section 5. `ops` are the ids of the ops carried; `refused` those of ops that are refused by themselves. A frame of `refusedFrames` is refused as a whole.',
    net: NET,
    frames: [...whole(), ...parts(), ...single()].map(({ comment, bytes }) => ({
      comment,
      bytes: toHex(bytes),
      ...opened(bytes),
    })),
    refusedFrames: refusedFrames().map(({ comment, bytes }) => ({
      comment,
      bytes: toHex(bytes),
      reason: reasonOf(bytes),
    })),
  }
}

type Case = { comment: string; bytes: Uint8Array }

function opened(bytes: Uint8Array) {
  const result = openFrame(bytes, NET, pureSuite)
  if (!result.ok) throw new Error(`a frame of the vectors is ${result.reason}`)
  const { actor, n, entries, refused } = result.frame
  return {
    actor,
    n,
    ops: entries.map(({ index, op }) => ({ index, id: op.id, record: op.header.record })),
    refused: refused.map(({ index, op, reason }) => ({ index, id: op, reason })),
  }
}

function reasonOf(bytes: Uint8Array): string {
  const result = openFrame(bytes, NET, pureSuite)
  if (result.ok) throw new Error(`a refused frame of the vectors opens: ${toHex(bytes)}`)
  return result.reason
}

function genesis(slug: string, w = 1700000000000): Draft {
  return { type: 'genesis', owner: OWNER, kind: 'model', slug, w, body: encode({ f: [[['name'], slug]], slug }) }
}

function batch(drafts: readonly Draft[]) {
  const [signed] = signBatch(drafts, { net: NET, key: KEY, sign: signWith(1) })
  if (signed === undefined) throw new Error('expected one frame')
  return signed.frame
}

function whole(): Case[] {
  const parents = [id('a')]
  const patch = encode([['set', ['name'], 'x']])
  const noBody = new Uint8Array(0)
  return [
    { comment: 'one genesis', bytes: batch([genesis('x')]).bytes },
    {
      comment: 'a genesis whose body tells no slug carries the hash',
      bytes: batch([{ type: 'genesis', owner: OWNER, kind: 'model', slug: 'x', w: 1, body: encode({ f: [] }) }]).bytes,
    },
    {
      comment: 'a genesis whose body is not canonical carries the hash',
      bytes: batch([{ type: 'genesis', owner: OWNER, kind: 'model', slug: 'x', w: 1, body: fromHex('ff') }]).bytes,
    },
    {
      comment: 'a genesis whose body tells another slug carries the hash',
      bytes: batch([{ type: 'genesis', owner: OWNER, kind: 'model', slug: 'x', w: 1, body: encode({ slug: 'y' }) }])
        .bytes,
    },
    {
      comment: 'put, patch and delete',
      bytes: batch([
        { type: 'put', record: RECORD, parents, w: 1, body: encode({ f: [[['name'], 'x']] }) },
        { type: 'patch', record: RECORD, parents: [id('a'), id('b')], w: 2, body: patch },
        { type: 'delete', record: RECORD, parents, w: 3, body: noBody },
      ]).bytes,
    },
  ]
}

function parts(): Case[] {
  const seven = batch(Array.from({ length: 7 }, (_, i) => genesis(`model ${i}`)))
  const part = (positions: readonly number[]): Uint8Array =>
    selectFromFrame(seven, new Set(positions.map((index) => seven.entries[index]?.op.id as string)))
  return [
    { comment: 'seven ops', bytes: seven.bytes },
    { comment: 'the first of seven', bytes: part([0]) },
    { comment: 'the last of seven, which is higher up in the tree', bytes: part([6]) },
    { comment: 'three of seven', bytes: part([1, 2, 5]) },
    { comment: 'all but one of seven', bytes: part([0, 1, 2, 3, 5, 6]) },
  ]
}

/** A signed frame of entries as they are given, whatever they say. */
function frameOf(entries: readonly Value[], ids: readonly Uint8Array[]): Uint8Array {
  const message = signedBytes(fromHex(NET), ids.length, treeRoot(ids, pureSha256))
  return encode([fromHex(KEY), ids.length, signWith(1)(message), null, [], entries])
}

/** The op id of an entry, from a header written out here, so that the vectors do not rest on the code they check. */
function entryId(entry: readonly Value[]): Uint8Array {
  const [t, w, body] = entry as [number, number, Uint8Array | [number, Uint8Array]]
  const freed = !(body instanceof Uint8Array)
  const map: Record<string, Value> = {
    v: 1,
    n: fromHex(NET),
    t,
    k: fromHex(KEY),
    w,
    l: freed ? body[0] : body.length,
    h: freed ? body[1] : pureSha256(body),
  }
  if (t === 1) {
    const [, , , o, kd, sh, a] = entry as [
      number,
      number,
      Uint8Array,
      Uint8Array | null,
      string,
      Uint8Array,
      Uint8Array?,
    ]
    const owner = o ?? fromHex(OWNER)
    Object.assign(map, { p: [], o: owner, kd, sh, ...(a && { a }) })
    map['r'] = pureSha256(concat(utf8('peerage/1/rec\0'), fromHex(NET), owner, utf8(kd), Uint8Array.of(0), sh))
  } else if (t === 9) {
    const time = new Uint8Array(8)
    time[7] = w
    const r = pureSha256(concat(utf8('peerage/1/idn\0'), fromHex(NET), fromHex(KEY), map['h'] as Uint8Array, time))
    Object.assign(map, { r, p: [] })
  } else {
    const [, , , r, p, a] = entry as [number, number, Uint8Array, Uint8Array, Value, Uint8Array?]
    Object.assign(map, { r, p, ...(a && { a }) })
  }
  return pureSha256(concat(utf8('peerage/1/op\0'), encode(map)))
}

function one(comment: string, entry: readonly Value[]): Case {
  return { comment, bytes: frameOf([entry], [entryId(entry)]) }
}

const record = fromHex(RECORD)
const hash = pureSha256(utf8('x'))
const parent = fromHex(id('a'))
const none = new Uint8Array(0)
const two = [id('a'), id('b')].sort().map(fromHex)

function single(): Case[] {
  const good: Value[] = [3, 1, none, record, [parent]]
  const bad: Value[] = [3, 1, none, record, []]
  return [
    one('a type that nobody knows yet is taken', [14, 1, none, record, [parent]]),
    one('an unknown type up to 2^53 - 1', [Number.MAX_SAFE_INTEGER, 1, none, record, [parent]]),
    one('16 parents', [
      3,
      1,
      none,
      record,
      Array.from({ length: 16 }, (_, i) => id(`parent ${i}`))
        .sort()
        .map(fromHex),
    ]),
    one('refused: type 0', [0, 1, none, record, [parent]]),
    one('refused: a type below 0', [-1, 1, none, record, [parent]]),
    one('refused: a time below 0', [3, -1, none, record, [parent]]),
    one('refused: a time of 2^43', [3, 2 ** 43, none, record, [parent]]),
    one('refused: a kind in upper case', [1, 1, none, null, 'Model', hash]),
    one('refused: no kind', [1, 1, none, null, '', hash]),
    one('refused: a kind that makes the header too large', [1, 1, none, null, 'a'.repeat(1000), hash]),
    ...[11, 12, 13].map((type) => one(`refused: reserved type ${type}`, [type, 1, none, record, [parent]])),
    one('relying on a grant', [3, 1, none, record, [parent], hash]),
    one('a genesis relying on a grant', [1, 1, none, null, 'model', hash, hash]),
    one('a genesis of an identity', [1, 1, none, concat(Uint8Array.of(2), hash), 'model', hash, hash]),
    one('a genesis of another key, relying on its grant', [
      1,
      1,
      none,
      fromHex(ownerOfKey(keyOf(2))),
      'model',
      hash,
      hash,
    ]),
    one('an erase', [5, 1, encodeErase({ ids: [id('a')], reason: 'a token' }), record, [parent]]),
    one('an erase whose body does not decode is taken, and inert', [5, 1, none, record, [parent]]),
    one('an identity', [9, 1, encodeIdentity({ commitment: id('next') })]),
    one('a rotate', [10, 1, encodeRotate({ commitment: id('next'), keep: [] }), record, [parent], hash]),
    one('a grant, first of its authority record', [6, 1, grant, authority, []]),
    one('a grant on top of others', [6, 1, grant, record, [parent]]),
    one('a grant relying on a grant', [6, 1, grant, record, [], hash]),
    one('a revoke', [7, 1, encodeRevoke({ grant: id('g'), keep: [id('a')] }), record, [parent]]),
    one('a revoke whose body does not decode is taken, and inert', [7, 1, none, record, [parent]]),
    one('a keep', [8, 1, encodeKeep({ of: id('r'), ids: [id('a'), id('b')] }), record, [parent]]),
    one('a put whose body has been freed', [2, 1, [5, hash], record, [parent]]),
    one('a genesis whose body has been freed says its slug hash', [1, 1, [5, hash], null, 'model', hash]),
    one('refused: a genesis of an identity that relies on nothing', [
      1,
      1,
      none,
      concat(Uint8Array.of(2), hash),
      'model',
      hash,
    ]),
    one('refused: a grant whose body does not decode', [6, 1, none, record, [parent]]),
    ...badGrants().map(([what, body]) => one(`refused: a grant with ${what}`, [6, 1, encode(body), authority, []])),
    one('refused: a grant without parents in a record of somebody else', [6, 1, grant, record, []]),
    one('refused: an identity whose body does not decode', [9, 1, none]),
    one('refused: a rotate whose body does not decode', [10, 1, none, record, [parent], hash]),
    one('refused: a rotate that relies on nothing', [
      10,
      1,
      encodeRotate({ commitment: id('next'), keep: [] }),
      record,
      [parent],
    ]),
    one('refused: an erase without parents', [5, 1, none, record, []]),
    one('refused: an owner of an unknown form', [1, 1, none, concat(Uint8Array.of(3), hash), 'model', hash]),
    one('refused: a genesis for another key', [1, 1, none, fromHex(ownerOfKey(keyOf(2))), 'model', hash]),
    one('refused: no parents', bad),
    one('refused: 17 parents', [
      3,
      1,
      none,
      record,
      Array.from({ length: 17 }, (_, i) => id(`parent ${i}`))
        .sort()
        .map(fromHex),
    ]),
    one('refused: parents out of order', [3, 1, none, record, two.toReversed()]),
    one('refused: a parent twice', [3, 1, none, record, [parent, parent]]),
    {
      comment: 'a bad op between good ones',
      bytes: frameOf(
        [good, bad, [2, 1, none, record, [parent]]],
        [good, bad, [2, 1, none, record, [parent]]].map(entryId),
      ),
    },
  ]
}

const grant = encodeGrant({ to: keyOf(2), rights: ['write'] })
const authority = fromHex(authorityRecord(NET, OWNER))

function badGrants(): [string, Value][] {
  const to = fromHex(keyOf(2))
  return [
    ['no rights', { to, rights: [] }],
    ['rights out of order', { to, rights: ['delete', 'write'] }],
    ['a right twice', { to, rights: ['write', 'write'] }],
    ['17 rights', { to, rights: Array.from({ length: 17 }, (_, i) => `right ${10 + i}`) }],
    ['a right of 33 bytes', { to, rights: ['x'.repeat(33)] }],
    ['kinds and records', { to, rights: ['write'], kinds: ['model'], records: [hash] }],
    ['a kind that is none', { to, rights: ['write'], kinds: ['Model'] }],
    ['no records', { to, rights: ['write'], records: [] }],
    ['a record id of 31 bytes', { to, rights: ['write'], records: [hash.slice(1)] }],
    ['no paths', { to, rights: ['write'], paths: [] }],
    ['a path that is text', { to, rights: ['write'], paths: ['tags'] }],
    ['an expiry of 2^43', { to, rights: ['write'], expiry: 2 ** 43 }],
    ['a key of 31 bytes', { to: to.slice(1), rights: ['write'] }],
    ['a key more', { to, rights: ['write'], note: 'x' }],
  ]
}

function refusedFrames(): Case[] {
  const good: Value[] = [3, 1, none, record, [parent]]
  const whole = frameOf([good], [entryId(good)])
  const seven = batch(Array.from({ length: 7 }, (_, i) => genesis(`model ${i}`)))
  const part = selectFromFrame(seven, new Set([seven.entries[2]?.op.id as string]))
  const cases: Case[] = []
  const add = (comment: string, bytes: Uint8Array): void => {
    cases.push({ comment, bytes })
  }
  /** The frame with one part of it replaced. */
  const replaced = (bytes: Uint8Array, at: number, value: Value | ((old: Value) => Value)): Uint8Array => {
    const frame = raw(bytes)
    frame[at] = typeof value === 'function' ? value(frame[at] as Value) : value
    return encode(frame)
  }
  const entry = (value: Value[]): Uint8Array => replaced(whole, 5, [value])

  add('no bytes', none)
  add('no CBOR', fromHex('ff'))
  add('a map', encode({}))
  add('a byte after the frame', concat(whole, Uint8Array.of(0)))
  add('five parts', encode(raw(whole).slice(0, 5)))
  add('seven parts', encode([...raw(whole), null]))
  add('a key of 31 bytes', replaced(whole, 0, fromHex(KEY).slice(0, 31)))
  add('a key in hex', replaced(whole, 0, KEY))
  add(
    'a signature of 63 bytes',
    replaced(whole, 2, (s) => (s as Uint8Array).slice(0, 63)),
  )
  add('n = 0', replaced(whole, 1, 0))
  add('n = 257', replaced(whole, 1, 257))
  add('n is text', replaced(whole, 1, '1'))
  add('a position is text', replaced(part, 3, ['2']))
  add('a position below 0', replaced(part, 3, [-1]))
  add(
    'a hash of 31 bytes',
    replaced(part, 4, (x) => [(x as Uint8Array[])[0]?.slice(0, 31) as Value, ...(x as Value[]).slice(1)]),
  )
  add('no entries', replaced(whole, 5, []))
  add('an entry that is no list', replaced(whole, 5, [{}]))
  add('an entry of four parts', entry(good.slice(0, 4)))
  add('an entry of seven parts', entry([...good, hash, hash]))
  add('an a of 31 bytes', entry([...good, hash.slice(0, 31)]))
  add('an identity with a record', entry([9, 1, none, record]))
  for (const type of [4, 5, 6, 7, 8, 14])
    add(`a freed body of type ${type}`, entry([type, 1, [5, hash], record, [parent]]))
  add('a freed body of length 0', entry([3, 1, [0, hash], record, [parent]]))
  add('a freed body without a hash', entry([3, 1, [5], record, [parent]]))
  add('a freed genesis body whose slug hash is left out', entry([1, 1, [5, hash], null, 'model', null]))
  add('a type that is text', entry(['patch', 1, none, record, [parent]]))
  add('a type of 2^53, which is a float', entry([2 ** 53, 1, none, record, [parent]]))
  add('a time that is a float', entry([3, 1.5, none, record, [parent]]))
  add('a body that is text', entry([3, 1, '', record, [parent]]))
  add('a record id of 31 bytes', entry([3, 1, none, record.slice(0, 31), [parent]]))
  add('a parent of 31 bytes', entry([3, 1, none, record, [parent.slice(0, 31)]]))
  add('257 parents', entry([3, 1, none, record, Array.from({ length: 257 }, () => parent)]))
  add('a genesis with neither slug nor hash of one', entry([1, 1, none, null, 'model', null]))
  add('a genesis whose kind is bytes', entry([1, 1, none, null, utf8('model'), hash]))
  add('an owner of 32 bytes', entry([1, 1, none, hash, 'model', hash]))
  add('an owner written out that is the key', entry([1, 1, none, fromHex(OWNER), 'model', hash]))
  add('a slug hash written out that the body tells', entry([1, 1, encode({ slug: 'x' }), null, 'model', hash]))
  add('too many containers within one another', entry([3, 1, none, record, [[[[[]]]]]] as Value[]))
  add('a key of small order', replaced(whole, 0, fromHex('01'.padEnd(64, '0'))))
  add('a key that is not canonical', replaced(whole, 0, fromHex(`ed${'ff'.repeat(30)}7f`)))
  add('positions although all ops are carried', replaced(whole, 3, [0]))
  add('a position beyond the batch', replaced(part, 3, [7]))
  const last = selectFromFrame(seven, new Set([seven.entries[6]?.op.id as string]))
  add('the last op at a position beyond the batch', replaced(last, 3, [7]))
  add('a position twice, to bring in an op that was not signed', smuggled(part))
  add('a position too many', replaced(part, 3, [2, 3]))
  add('no positions for a part', replaced(part, 3, null))
  add('no positions at all', replaced(part, 3, []))
  add(
    'a hash too few',
    replaced(part, 4, (x) => (x as Value[]).slice(1)),
  )
  add(
    'a hash too many',
    replaced(part, 4, (x) => [...(x as Value[]), hash]),
  )
  add('a hash although all ops are carried', replaced(whole, 4, [hash]))
  add('positions out of order', swapped(seven.bytes))
  add('another position of the same shape', replaced(part, 3, [3]))
  add('another n of the same shape', replaced(part, 1, 8))
  add(
    'hashes in another order',
    replaced(part, 4, (x) => (x as Value[]).toReversed()),
  )
  add(
    'S + L',
    replaced(whole, 2, (s) => plusOrder(s as Uint8Array)),
  )
  add('a signature of another network', batchOf('lab'))
  add('the key of another', replaced(whole, 0, fromHex(keyOf(2))))
  add('another body', entry([3, 1, Uint8Array.of(0), record, [parent]]))
  return cases
}

function raw(bytes: Uint8Array): Value[] {
  const decoded = decode(bytes)
  if (!decoded.ok) throw new Error(decoded.reason)
  return [...(decoded.value as Value[])]
}

function swapped(bytes: Uint8Array): Uint8Array {
  const frame = openFrame(bytes, NET, pureSuite)
  if (!frame.ok) throw new Error(frame.reason)
  const ids = [1, 2].map((at) => frame.frame.entries[at]?.op.id as string)
  const part = raw(selectFromFrame(frame.frame, new Set(ids)))
  part[3] = [2, 1]
  return encode(part)
}

function smuggled(bytes: Uint8Array): Uint8Array {
  const frame = raw(bytes)
  frame[3] = [2, 2]
  frame[5] = [...(frame[5] as Value[]), [3, 1, none, record, [parent]]]
  return encode(frame)
}

function plusOrder(signature: Uint8Array): Uint8Array {
  const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
  const sum = Uint8Array.from(signature)
  let carry = 0
  for (let i = 0; i < 32; i++) {
    carry += (sum[32 + i] as number) + (order[i] as number)
    sum[32 + i] = carry
    carry >>= 8
  }
  return sum
}

function batchOf(network: string): Uint8Array {
  const [signed] = signBatch([genesis('x')], { net: networkId(network), key: KEY, sign: signWith(1) })
  return signed?.frame.bytes as Uint8Array
}
