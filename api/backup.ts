/**
 * The store of this moment, as the second half of a backup (node/backup.ts). It holds no key and no token, but all that
 * is in the catalogue, and where webhooks lead: only the main token gets it. `peerage backup` adds the files.
 */
import { backupsMax, MAIN_TOKEN, type NodeFace } from '../node/index.ts'
import { describe, okTyped, problems } from './openapi-parts.ts'
import { type Answer, type Route, typedAnswer, type Visit } from './route.ts'

const TYPE = 'application/vnd.peerage.backup'

export function backupRoutes(node: NodeFace): Route[] {
  let open = 0
  const counted = async function* (rows: AsyncIterable<Uint8Array>) {
    open++
    try {
      yield* rows
    } finally {
      open--
    }
  }
  const handle = ({ access }: Visit): Answer => {
    if (access?.name !== MAIN_TOKEN) return { problem: 'forbidden', detail: 'a backup is for the main token only' }
    if (node.backup === undefined) return { problem: 'not-found', detail: 'this node keeps nothing on disk' }
    if (open >= backupsMax)
      return { problem: 'busy', detail: 'a backup is being made already', headers: { 'retry-after': '30' } }
    const rows = counted(node.backup())
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const piece = await rows.next()
        if (piece.done) controller.close()
        else controller.enqueue(piece.value)
      },
      async cancel() {
        await rows.return(undefined)
      },
    })
    return typedAnswer(stream, TYPE, { 'cache-control': 'no-store' })
  }
  return [
    {
      method: 'GET',
      path: '/v1/backup',
      token: true,
      sameOrigin: true,
      looksAtKinds: true,
      handle: (_c, visit) => handle(visit),
      operation: describe('node')('backup', 'The store of this moment, for `peerage backup`', [], {
        ...okTyped('Rows of the store (node/backup.ts)', { [TYPE]: { type: 'string', format: 'binary' } }),
        ...problems('unauthorised', 'forbidden', 'not-found', 'busy'),
      }),
    },
  ]
}
