/**
 * The stupid merge of text: a list of UTF-16 units, each remembering what stood left and right of it when it was
 * typed (YATA). Every op's view is rebuilt from nothing. What crdt/text.ts answers by Yjs is compared with this.
 */
type UnitId = string
type Unit = {
  readonly id: UnitId
  readonly client: number
  readonly unit: string
  readonly left: UnitId | undefined
  readonly right: UnitId | undefined
}
type Change = { readonly units: Unit[]; readonly deleted: UnitId[] }

export type NaiveEdit = {
  readonly op: string
  readonly splices: readonly { readonly at: number; readonly del: number; readonly ins: string }[]
  /** Ops of other edits that this one has seen. */
  readonly past: ReadonlySet<string>
  /** Held its place while others wrote; in the end what it typed is taken out and what it deleted is put back. */
  readonly voided?: boolean
}

/** `edits` in any order. */
export function naiveText(start: string, edits: readonly NaiveEdit[]): string {
  const clients = new Map(
    edits
      .map((edit) => edit.op)
      .sort()
      .map((op, i) => [op, i + 2]),
  )
  const begin: Change = { units: typed(start, 1, 0, undefined, undefined), deleted: [] }
  const changes = new Map<string, Change>()
  const bySeen = [...edits].sort((a, b) => a.past.size - b.past.size || (a.op < b.op ? -1 : 1))
  for (const edit of bySeen) {
    const seen = bySeen.filter(({ op }) => edit.past.has(op)).map(({ op }) => changes.get(op) as Change)
    changes.set(edit.op, change([begin, ...seen], edit, clients.get(edit.op) as number))
  }
  const { list } = replay([begin, ...changes.values()])
  const standing = bySeen.filter(({ voided }) => !voided).map(({ op }) => changes.get(op) as Change)
  const stays = new Set([begin, ...standing].flatMap(({ units }) => units.map(({ id }) => id)))
  const gone = new Set(standing.flatMap(({ deleted }) => deleted))
  return visible(list, gone)
    .filter(({ id }) => stays.has(id))
    .map(({ unit }) => unit)
    .join('')
}

function change(seen: readonly Change[], edit: NaiveEdit, client: number): Change {
  const mine: Change = { units: [], deleted: [] }
  for (const { at, del, ins } of edit.splices) {
    const { list, gone } = replay([...seen, mine])
    const shown = visible(list, gone)
    const from = before(shown, at)
    const to = before(shown, at + del)
    const doomed = shown.slice(from, to)
    for (const { id } of doomed) {
      mine.deleted.push(id)
      gone.add(id)
    }
    // Right of the last unit that stays before it, and then of every tombstone there.
    let right = from === 0 ? 0 : list.indexOf(shown[from - 1] as Unit) + 1
    while (right < list.length && gone.has((list[right] as Unit).id)) right++
    mine.units.push(...typed(ins, client, mine.units.length, list[right - 1]?.id, list[right]?.id))
  }
  return mine
}

function before(shown: readonly Unit[], at: number): number {
  if (at >= shown.length) return shown.length
  const [a, b] = [shown[at - 1]?.unit ?? '', shown[at]?.unit ?? '']
  return /^[\ud800-\udbff]$/.test(a) && /^[\udc00-\udfff]$/.test(b) ? at - 1 : at
}

function typed(
  text: string,
  client: number,
  clock: number,
  left: UnitId | undefined,
  right: UnitId | undefined,
): Unit[] {
  return text.split('').map((unit, i) => ({
    id: `${client}.${clock + i}`,
    client,
    unit,
    left: i === 0 ? left : `${client}.${clock + i - 1}`,
    right,
  }))
}

function replay(changes: readonly Change[]): { list: Unit[]; gone: Set<UnitId> } {
  const list: Unit[] = []
  for (const { units } of changes) for (const unit of units) integrate(list, unit)
  return { list, gone: new Set(changes.flatMap(({ deleted }) => deleted)) }
}

function visible(list: readonly Unit[], gone: ReadonlySet<UnitId>): Unit[] {
  return list.filter(({ id }) => !gone.has(id))
}

function integrate(list: Unit[], unit: Unit): void {
  let after = list.findIndex(({ id }) => id === unit.left)
  const passed = new Set<UnitId>()
  let rivals = new Set<UnitId>()
  for (let at = after + 1; at < list.length; at++) {
    const other = list[at] as Unit
    if (other.id === unit.right) break
    passed.add(other.id)
    rivals.add(other.id)
    if (other.left === unit.left) {
      if (other.client < unit.client) {
        after = at
        rivals = new Set()
      } else if (other.right === unit.right) break
    } else if (other.left !== undefined && passed.has(other.left)) {
      if (!rivals.has(other.left)) {
        after = at
        rivals = new Set()
      }
    } else break
  }
  list.splice(after + 1, 0, unit)
}
