/** Authority: small stories of one owner, as frames in an order in which each op comes after what it names. */
import {
  authorityRecord,
  commitment,
  type Draft,
  draftOp,
  encodeBody,
  encodeErase,
  encodeGrant,
  encodeIdentity,
  encodeKeep,
  encodeRevoke,
  encodeRotate,
  encodeVerbs,
  type Grant,
  merge,
  networkId,
  type Op,
  type OpId,
  type OpReason,
  OwnerAuthority,
  ownerOfIdentity,
  ownerOfKey,
  recordId,
  signOps,
  toHex,
  type Verb,
} from '../../crdt/index.ts'
import { toJson } from './json.ts'
import { keyOf, signWith } from './keys.ts'

const NET = networkId('peerage')
const RECORD_OF = (owner: string) => recordId({ net: NET, owner, kind: 'model', slug: 'm' })
const NOBODY = '00'.repeat(32)

export function authorityVectors(): unknown {
  return {
    comment:
      'SPEC.md section 9. `frames` are in an order in which each op comes after what it names, one op each; the record is that of the only genesis. `refused` are ops that are not valid, by what they rely on; they are left out of the rest. Keys are those of seeds whose bytes are all 1, 2, 3 ...',
    net: NET,
    cases: stories().map(told),
  }
}

function told({ comment, ops, owner }: Story) {
  const authority = new OwnerAuthority(NET, owner)
  const refused: { op: OpId; reason: OpReason }[] = []
  const valid: Op[] = []
  for (const op of ops) {
    const reason = authority.check(op, 'model')
    if (reason !== undefined) refused.push({ op: op.id, reason })
    else if (op.header.record === authority.record) authority.add(op)
    else valid.push(op)
  }
  const { live, doc, heads, conflicts, voided = [], erased = [] } = merge(valid, undefined, authority)
  const taken = authority.ops().flatMap(({ id }) => {
    const by = authority.voidedBy(id)
    return by.length === 0 ? [] : [{ op: id, by }]
  })
  return {
    comment,
    owner,
    frames: ops.map((op) => toHex(frameOf(op))),
    refused,
    voided: [...taken, ...voided],
    erased,
    live,
    doc: toJson(doc),
    heads,
    conflicts: conflicts.length,
  }
}

type Story = { readonly comment: string; readonly owner: string; readonly ops: readonly Op[] }
type Doing = Partial<Pick<Op['header'], 'w'>> & { readonly via?: Op; readonly on?: readonly Op[] }

/** What key `seed` signs for an owner. */
function writer(seed: number, owner = ownerOfKey(keyOf(seed))) {
  const record = RECORD_OF(owner)
  const room = authorityRecord(NET, owner)
  const make = (draft: Draft) => draftOp(draft, { net: NET, key: keyOf(seed) })
  const say = (type: 'put' | 'patch' | 'delete' | 'erase', body: Uint8Array, { on = [], via, w = 1 }: Doing) =>
    make({ type, record, parents: on.map(({ id }) => id), w, body, ...(via && { via: via.id }) })
  const rule = (type: 'grant' | 'revoke' | 'keep' | 'rotate', body: Uint8Array, { on = [], via, w = 1 }: Doing) =>
    make({ type, record: room, parents: on.map(({ id }) => id), w, body, ...(via && { via: via.id }) })
  return {
    genesis: (fields: Record<string, string>, { via, w = 1 }: Doing = {}) => {
      const f = Object.entries(fields).map(([name, value]) => [[name], value] as const)
      const body = encodeBody({ slug: 'm', f, s: [], t: [] })
      return make({ type: 'genesis', owner, kind: 'model', slug: 'm', w, body, ...(via && { via: via.id }) })
    },
    text: (text: string) => {
      const body = encodeBody({ slug: 'm', f: [], s: [], t: [[['text'], text]] })
      return make({ type: 'genesis', owner, kind: 'model', slug: 'm', w: 1, body })
    },
    patch: (verbs: readonly Verb[], doing: Doing) => say('patch', encodeVerbs(verbs), doing),
    set: (field: string, value: string, doing: Doing) => say('patch', encodeVerbs([['set', [field], value]]), doing),
    remove: (doing: Doing) => say('delete', new Uint8Array(0), doing),
    erase: (ops: readonly Op[], doing: Doing) => say('erase', encodeErase({ ids: ops.map(({ id }) => id) }), doing),
    grant: (to: number, grant: Omit<Grant, 'to'>, doing: Doing = {}) =>
      rule('grant', encodeGrant({ to: keyOf(to), ...grant }), doing),
    revoke: (grant: Op, keep: readonly Op[] = [], doing: Doing = {}) =>
      rule('revoke', encodeRevoke({ grant: grant.id, keep: keep.map(({ id }) => id) }), doing),
    keep: (of: Op, ops: readonly Op[], doing: Doing = {}) =>
      rule('keep', encodeKeep({ of: of.id, ids: ops.map(({ id }) => id) }), doing),
    rotate: (next: string, keep: readonly Op[], doing: Doing) =>
      rule('rotate', encodeRotate({ commitment: next, keep: keep.map(({ id }) => id) }), doing),
    identity: (next: string) => make({ type: 'identity', w: 1, body: encodeIdentity({ commitment: next }) }),
  }
}

const ALL = { rights: ['create', 'delete', 'grant', 'write'] }

function stories(): Story[] {
  const me = writer(1)
  const owner = ownerOfKey(keyOf(1))
  const [ci, sub, other] = [writer(2, owner), writer(3, owner), writer(4, owner)]
  const genesis = me.genesis({ name: 'first' })
  const grant = me.grant(2, ALL)
  const byCi = ci.set('name', 'by ci', { via: grant, on: [genesis] })
  const story = (comment: string, ...ops: Op[]): Story => ({ comment, owner, ops })
  return [story('a grantee writes', genesis, grant, byCi), ...grants(), ...revokes(), ...identities(), ...texts()]

  function grants(): Story[] {
    const ahead = ci.set('name', 'by ci, later', { via: grant, on: [genesis], w: 9 })
    const tags = me.grant(2, { rights: ['delete', 'write'], paths: [['tags']] })
    const narrow = me.grant(2, { rights: ['grant', 'write'], kinds: ['model'] })
    const wide = ci.grant(3, ALL, { via: narrow })
    const until = me.grant(2, { rights: ['write'], expiry: 5 })
    const map = me.patch([['set', ['tags'], { old: 1 }, 'reg']], { on: [genesis] })
    const inner = me.grant(2, { rights: ['write'], paths: [['tags', 'new']] })
    const deep: Op[] = [genesis]
    let via: Op | undefined
    for (let at = 2; at <= 10; at++) {
      via = writer(at - 1, owner).grant(at, ALL, { ...(via && { via }), w: at })
      deep.push(via)
    }
    return [
      story(
        'the owner ranks before a grantee, whatever the time',
        genesis,
        grant,
        ahead,
        me.set('name', 'mine', { on: [genesis] }),
      ),
      story(
        'outside of the places of the grant a write is inert, and a delete is everywhere',
        genesis,
        tags,
        ci.patch(
          [
            ['set', ['name'], 'taken'],
            ['add', ['tags'], ['t']],
          ],
          { via: tags, on: [genesis] },
        ),
        ci.remove({ via: tags, on: [genesis] }),
      ),
      story(
        'a write does not cover what contains it where it may not write: the map stays, and its leaf is in conflict',
        genesis,
        map,
        inner,
        ci.patch([['set', ['tags', 'new'], 1]], { via: inner, on: [map] }),
      ),
      story(
        'a sub-grant never widens: no right to delete, no other kind',
        genesis,
        narrow,
        wide,
        sub.set('name', 'by the third', { via: wide, on: [genesis] }),
        sub.remove({ via: wide, on: [genesis] }),
      ),
      story('the grant of another key', genesis, grant, other.set('name', 'x', { via: grant, on: [genesis] })),
      story(
        'later than the grant lasts, by its own word: inert',
        genesis,
        until,
        ci.set('name', 'in time', { via: until, on: [genesis], w: 5 }),
        ci.set('name', 'late', { via: until, on: [genesis], w: 6 }),
      ),
      story('eight grants above one another, and a ninth', ...deep),
      story('an erase by a grantee', genesis, grant, ci.erase([genesis], { via: grant, on: [genesis] })),
    ]
  }

  function revokes(): Story[] {
    const later = ci.set('name', 'later', { via: grant, on: [byCi] })
    const revoke = me.revoke(grant, [byCi], { on: [grant] })
    const down = ci.grant(3, ALL, { via: grant })
    const bySub = sub.set('name', 'by the third', { via: down, on: [byCi] })
    const ownRevoke = ci.revoke(down, [], { via: grant })
    const sibling = me.grant(4, ALL)
    const byOther = other.set('name', 'by the fourth', { via: sibling, on: [genesis] })
    return [
      story(
        'a revoke voids what it does not keep, and keeps the past of what it keeps',
        genesis,
        grant,
        byCi,
        later,
        revoke,
      ),
      story('dropping all: what it covered returns', genesis, grant, byCi, me.revoke(grant)),
      story('a keep brings back', genesis, grant, byCi, later, revoke, me.keep(revoke, [later])),
      story(
        'the revoked do not speak for themselves',
        genesis,
        grant,
        byCi,
        later,
        revoke,
        ci.keep(revoke, [later], { via: grant, on: [revoke] }),
      ),
      story(
        'what rests on a voided grant is voided, though it is listed',
        genesis,
        grant,
        byCi,
        down,
        bySub,
        me.revoke(grant, [byCi, bySub]),
      ),
      story('who gave a sub-grant takes it', genesis, grant, byCi, down, bySub, ownRevoke),
      story(
        'and the revoke goes when its own authority goes',
        genesis,
        grant,
        byCi,
        down,
        bySub,
        ownRevoke,
        me.revoke(grant, [down, byCi, bySub]),
      ),
      story('a grantee revokes no sibling', genesis, grant, sibling, byOther, ci.revoke(sibling, [], { via: grant })),
      story(
        'two revokes of one grant: only what both keep stands',
        genesis,
        grant,
        byCi,
        later,
        revoke,
        me.revoke(grant, [], { on: [grant], w: 2 }),
      ),
      story('an erase, and what it covered returns', genesis, grant, byCi, me.erase([byCi], { on: [byCi] })),
      story(
        'a revoke whose body does not decode is inert',
        genesis,
        grant,
        byCi,
        draftOp(
          { type: 'revoke', record: authorityRecord(NET, owner), parents: [grant.id], w: 1, body: new Uint8Array(0) },
          { net: NET, key: keyOf(1) },
        ),
      ),
    ]
  }

  function identities(): Story[] {
    const third = commitment(keyOf(13), NOBODY)
    const second = commitment(keyOf(12), third)
    const op = writer(11).identity(second)
    const own = ownerOfIdentity(op.header.record)
    const [one, two, three] = [writer(11, own), writer(12, own), writer(13, own)]
    const born = one.genesis({ name: 'first' }, { via: op })
    const honest = one.set('name', 'honest', { via: op, on: [born] })
    const stolen = one.set('name', 'stolen', { via: op, on: [honest], w: 9 })
    const rotate = two.rotate(third, [honest], { via: op, on: [op] })
    const rival = two.rotate(third, [born], { via: op, on: [op], w: 2 })
    const next = two.set('name', 'next', { via: rotate, on: [honest] })
    const last = three.rotate(NOBODY, [next], { via: rotate, on: [rotate] })
    const eraseStolen = one.erase([born], { via: op, on: [born] })
    const of = (comment: string, ...ops: Op[]): Story => ({ comment, owner: own, ops })
    return [
      of('an identity writes with its first key', op, born, honest),
      of('a rotate voids what the old key did and it does not keep', op, born, honest, stolen, rotate, next),
      of('rival rotates: only what both keep stands', op, born, honest, stolen, rotate, rival),
      of('the next rotate settles rivals that it has not seen', op, born, honest, rotate, rival, next, last),
      of('a key that was not committed to rotates nothing', op, born, three.rotate(NOBODY, [], { via: op, on: [op] })),
      of('the old key with the new step', op, born, rotate, one.set('name', 'x', { via: rotate, on: [born] })),
      of('an erase by the stolen key is voided with it', op, born, honest, eraseStolen, rotate),
      of(
        'a keep by the old key does not save it, one by the new key does',
        op,
        born,
        honest,
        stolen,
        rotate,
        one.keep(rotate, [stolen], { via: op }),
        two.keep(rotate, [honest], { via: rotate }),
      ),
    ]
  }

  function texts(): Story[] {
    const text = me.text('abcdef')
    const splice = (by: ReturnType<typeof writer>, at: number, del: number, ins: string, doing: Doing) =>
      by.patch([['splice', ['text'], text.id, at, del, ins]], doing)
    const bad = splice(ci, 2, 2, 'XX', { via: grant, on: [text] })
    const after = splice(me, 6, 0, '!', { on: [bad] })
    const erased = splice(me, 0, 1, 'Z', { on: [text] })
    return [
      story(
        'a voided splice stays in place for those who counted with it, and is taken out',
        text,
        grant,
        bad,
        after,
        me.revoke(grant),
      ),
      story(
        'an erased splice is nowhere',
        text,
        erased,
        splice(me, 6, 0, '!', { on: [erased] }),
        me.erase([erased], { on: [erased] }),
      ),
    ]
  }
}

function frameOf(op: Op): Uint8Array {
  const seed = Array.from({ length: 20 }, (_, i) => i + 1).find((n) => keyOf(n) === op.header.actor) as number
  const [signed] = signOps([op], { net: NET, key: op.header.actor, sign: signWith(seed) })
  return (signed as { frame: { bytes: Uint8Array } }).frame.bytes
}
