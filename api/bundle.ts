/**
 * Ops as a file: the signed frames of all records, or of some kinds, owners or records, to be carried where no network
 * reaches. What reads it is `peerage import`, by way of POST /v1/ops; nothing of it has to be believed.
 */
import type { Context } from 'hono'
import { didToOwner } from '../crdt/index.ts'
import {
  type BundleOf,
  bundleRecordsMax,
  bundlesMax,
  httpBodyBytesMax,
  isSetName,
  kindSet,
  type NodeFace,
  nativeSuite,
  syncSetsMax,
  writeBundle,
  zstdPackets,
} from '../node/index.ts'
import { JSON_TYPES, readJsonBody } from './body.ts'
import { describe, okTyped, problems, requestBody } from './openapi-parts.ts'
import { type Answer, type Route, typedAnswer } from './route.ts'

const TYPE = 'application/vnd.peerage.bundle'

export function bundleRoutes(node: NodeFace): Route[] {
  const list = (description: string) => ({ type: 'array', items: { type: 'string' }, description })
  let open = 0
  return [
    {
      method: 'POST',
      path: '/v1/bundle',
      handle: (c) =>
        bundle(node, c, {
          isFull: () => open >= bundlesMax,
          opened: () => open++,
          closed: () => open--,
        }),
      operation: describe('ops')(
        'bundle',
        'Writes the signed ops of records as one file',
        [],
        {
          ...okTyped('A bundle (node/PROTOCOLS.md, "Bundles")', { [TYPE]: { type: 'string', format: 'binary' } }),
          ...problems('bad-request', 'too-large', 'unsupported-type', 'busy'),
        },
        requestBody(
          {
            type: 'object',
            properties: {
              kinds: list('Kinds by their singular names; left out, all.'),
              owners: list('Owners by their DIDs; left out, all.'),
              records: list('Record ids; left out, all.'),
            },
          },
          JSON_TYPES,
          'Which records: those that meet everything named. Who may write them is always told.',
        ),
      ),
    },
  ]
}

type Places = { isFull(): boolean; opened(): void; closed(): void }

async function bundle({ replica }: NodeFace, c: Context, places: Places): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: false })
  if (!('value' in body)) return body
  const of = readChoice(body.value)
  if (typeof of === 'string') return { problem: 'bad-request', detail: of }
  if (places.isFull()) {
    return {
      problem: 'busy',
      detail: `${bundlesMax} bundles are being written already`,
      headers: { 'retry-after': '5' },
    }
  }
  const pieces = piecesOf(writeBundle(replica, of, { codec: zstdPackets, sha256: nativeSuite.sha256 }), places)
  const stream = new ReadableStream<Uint8Array>({
    // One piece at a time, when the client has room for it.
    async pull(controller) {
      const piece = await pieces.next()
      if (piece.done) controller.close()
      else controller.enqueue(piece.value)
    },
    async cancel() {
      await pieces.return(undefined)
    },
  })
  return typedAnswer(stream, TYPE)
}

/** Counted while it is being written, and not when nobody ever reads it. */
async function* piecesOf(bundle: AsyncIterable<Uint8Array>, places: Places): AsyncGenerator<Uint8Array> {
  places.opened()
  try {
    yield* bundle
  } finally {
    places.closed()
  }
}

/** What is wanted, or what is wrong with it. */
function readChoice(value: unknown): BundleOf | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'expected an object'
  const { kinds, owners, records, ...rest } = value as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    return `no field ${JSON.stringify(unknown.slice(0, 64))}; there are kinds, owners and records`
  const [names, dids, ids] = [texts(kinds, syncSetsMax), texts(owners, syncSetsMax), texts(records, bundleRecordsMax)]
  if (names === 'wrong' || !names?.every((name) => isSetName(kindSet(name)))) {
    if (names !== undefined) return `kinds: expected up to ${syncSetsMax} names of kinds`
  }
  const keys = dids === 'wrong' ? undefined : dids?.map(didToOwner)
  if (dids === 'wrong' || keys?.includes(undefined)) return `owners: expected up to ${syncSetsMax} DIDs`
  if (ids === 'wrong' || ids?.some((id) => !/^[0-9a-f]{64}$/.test(id))) {
    return `records: expected up to ${bundleRecordsMax} record ids`
  }
  return {
    ...(names !== undefined && { kinds: names as readonly string[] }),
    ...(keys !== undefined && { owners: keys as readonly string[] }),
    ...(ids !== undefined && { records: new Set(ids) }),
  }
}

function texts(value: unknown, max: number): readonly string[] | undefined | 'wrong' {
  if (value === undefined) return undefined
  const isGood = Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string')
  return isGood ? (value as string[]) : 'wrong'
}
