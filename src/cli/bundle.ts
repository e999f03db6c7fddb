/**
 * Bundles on the command line: `export --bundle FILE` writes the signed ops of records to a file, `import FILE` takes
 * such a file in, op by op verified by the node as if a peer had sent it. Importing twice changes nothing; of a file
 * that was cut or damaged the good parts go in, and the others are named.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { bundleHeadBytes, bundleNet, bundleRecordsMax, nativeSuite, readBundle, zstdPackets } from '../../node/index.ts'
import type { Client } from '../client.ts'
import { ClientError } from '../client-error.ts'
import { busyTriesMax } from '../limits.ts'
import type { OpVerdict } from '../post-ops.ts'
import { kindNamed } from '../reference.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode, Failure } from './output.ts'
import { count } from './show.ts'

export async function exportBundle(context: Context, file: string): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const kinds = (options.kind as string[] | undefined)?.map((kind) => kindNamed(kind)?.name ?? kind)
  const owners = options.owner as string[] | undefined
  const records = options.query === undefined ? undefined : await found(client, context, kinds)
  const of = { ...(kinds && { kinds }), ...(owners && { owners }), ...(records && { records }) }
  const response = await client.bundle(of, { signal })
  // Under another name until it is whole, so that nobody takes half of it for all.
  const part = `${file}.part`
  let bytes = 0
  try {
    const pieces = async function* () {
      for await (const piece of Readable.fromWeb(response as never)) {
        bytes += (piece as Uint8Array).length
        out.progress(`${Math.round(bytes / 1024).toLocaleString('en-US')} KiB ...`)
        yield piece
      }
    }
    await pipeline(pieces, createWriteStream(part, { mode: 0o644 }), { signal })
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  out.clearProgress()
  out.talk(`${file}: ${bytes.toLocaleString('en-US')} bytes`)
}

async function found(client: Client, { options, signal }: Context, kinds: readonly string[] | undefined) {
  const ids: string[] = []
  for await (const { id } of client.find({ query: options.query as string, ...(kinds && { kinds }) }, { signal })) {
    if (ids.push(id) > bundleRecordsMax) {
      throw new Failure(
        EXIT.error,
        `the query finds more than ${bundleRecordsMax} records; name kinds or owners instead`,
      )
    }
  }
  return ids
}

async function headOf(file: string): Promise<string | undefined> {
  if (file === '-') return undefined
  await using handle = await open(file)
  const { buffer, bytesRead } = await handle.read(new Uint8Array(bundleHeadBytes), 0, bundleHeadBytes, 0)
  return bundleNet(buffer.subarray(0, bytesRead))
}

type Tally = {
  applied: number
  duplicate: number
  pending: number
  refused: number
  readonly reasons: Map<string, number>
}

/** Exit code 6 when a part of a file could not be read, 1 when nothing of it was good. */
export async function importBundles(context: Context, files: readonly string[]): Promise<ExitCode> {
  const { out, options, signal } = context
  const client = await connect(context)
  const { network_id: net } = await client.status({ signal })
  const tally: Tally = { applied: 0, duplicate: 0, pending: 0, refused: 0, reasons: new Map() }
  const damage: { file: string; from: number; to: number; why: string }[] = []
  let ops = 0
  for (const file of files) {
    const theirs = await headOf(file)
    if (theirs === undefined) throw new Failure(EXIT.usage, `${file} is no bundle; import those by themselves`)
    if (theirs !== net) throw new Failure(EXIT.error, `${file} is of network ${theirs}, the node is of ${net}`)
    const bytes = createReadStream(file, { start: bundleHeadBytes })
    for await (const item of readBundle(net, bytes, { codec: zstdPackets, sha256: nativeSuite.sha256 })) {
      signal.throwIfAborted()
      if (item.is === 'damage') damage.push({ file, from: item.at, to: item.to, why: item.why })
      if (item.is !== 'part') continue
      const results = options.dryRun ? [] : await post(client, item.frames, signal)
      for (const { verdict, reason } of results) {
        tally[verdict]++
        if (verdict === 'refused')
          tally.reasons.set(reason ?? 'no reason', (tally.reasons.get(reason ?? 'no reason') ?? 0) + 1)
      }
      ops += results.length
      out.progress(`${file}: ${count(ops, 'op')}`)
    }
  }
  out.clearProgress()
  for (const { file, from, to, why } of damage) out.talk(`${file}: bytes ${from} to ${to}: ${why}`)
  for (const [reason, times] of tally.reasons) out.talk(`${count(times, 'op')} refused: ${reason}`)
  const { reasons, ...counts } = tally
  if (out.json) await out.value({ ops, ...counts, reasons: Object.fromEntries(reasons), damage })
  else if (!out.quiet) {
    const said = Object.entries(counts).map(([verdict, times]) => `${times.toLocaleString('en-US')} ${verdict}`)
    await out.data(`${count(ops, 'op')}: ${said.join(', ')}`)
  }
  if (damage.length > 0) return EXIT.integrity
  return tally.refused > 0 && (options.strict || tally.refused === ops) ? EXIT.error : EXIT.ok
}

/** A node that is busy is asked again; everything else ends the import, and a second run goes on from where it was. */
async function post(client: Client, frames: readonly Uint8Array[], signal: AbortSignal): Promise<readonly OpVerdict[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await client.postFrames(frames, { signal })
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'busy' || tries === busyTriesMax) throw error
      await delay(250 * 2 ** tries, undefined, { signal })
    }
  }
}
