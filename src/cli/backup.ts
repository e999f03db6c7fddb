/**
 * backup and restore: a data folder as one file, also while its node runs and writes, and a folder from such a file.
 *
 * A backup holds the node's key and tokens: it is written for its owner's eyes only, read back before it gets its name,
 * and never sent anywhere.
 */
import { existsSync } from 'node:fs'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import {
  backupFilesOf,
  backupStoppedStore,
  checkBackupFile,
  NodeError,
  restoreFolder,
  tokenFile,
} from '../../node/index.ts'
import { Client } from '../client.ts'
import { otherOwner } from '../folder-owner.ts'
import { readSecretFile } from '../keys.ts'
import { type NodeFile, nodeFile } from '../node-file.ts'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'
import { count } from './show.ts'

export async function backup(context: Context, target: string): Promise<void> {
  const { out, resolved, signal } = context
  const { data } = resolved.settings
  if (!existsSync(join(data, 'ops'))) throw new Failure(EXIT.error, `there is no node's store in ${data}`)
  const owner = otherOwner(data)
  if (owner !== undefined)
    throw new Failure(EXIT.usage, `${data} belongs to user ${owner}; make the backup as that user`)
  const file = await nameFor(resolve(target))
  if (existsSync(file)) throw new Failure(EXIT.conflict, `${file} is there already`)
  const part = `${file}.part`
  let bytes = 0
  try {
    await rm(part, { force: true })
    await using handle = await open(part, 'wx', 0o600)
    const write = async (pieces: AsyncIterable<Uint8Array>) => {
      for await (const piece of pieces) {
        signal.throwIfAborted()
        await handle.write(piece)
        bytes += piece.length
        out.progress(`${Math.round(bytes / 1024).toLocaleString('en-US')} KiB ...`)
      }
    }
    // The journal is among the files, and must not be newer than the store.
    await write(backupFilesOf(data, resolved.file === undefined ? {} : { 'config.yaml': resolved.file }))
    await write(storeOf(data, signal))
    await handle.sync()
    const wrong = await checkBackupFile(part)
    if (wrong !== undefined) throw new Failure(EXIT.integrity, `the backup did not read back as written: ${wrong}`)
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  out.clearProgress()
  if (out.json) await out.value({ file, bytes })
  else await out.data(file)
  out.talk(
    `${bytes.toLocaleString('en-US')} bytes, read back and whole. It holds the key and the tokens: keep it as safe as those`,
  )
}

async function nameFor(target: string): Promise<string> {
  const isFolder = (await stat(target).catch(() => undefined))?.isDirectory()
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  return isFolder ? join(target, `peerage-${at}.backup`) : target
}

/** From the folder when no process has it; else from the node that runs on it. */
async function* storeOf(data: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    yield* backupStoppedStore(data)
  } catch (error) {
    if (!(error instanceof NodeError) || error.code !== 'store-locked') throw error
    let told: NodeFile
    try {
      told = JSON.parse(await readFile(nodeFile(data), 'utf8')) as NodeFile
    } catch (cause) {
      throw new Failure(EXIT.error, `${error.message}, and it has not said where it answers; try again`, { cause })
    }
    const token = (await readSecretFile(tokenFile(data))).toString('utf8').trim()
    const stream = await new Client({ url: told.http, token }).backup({ signal })
    yield* Readable.fromWeb(stream as never)
  }
}

export async function restore({ out, resolved, options }: Context, file: string): Promise<void> {
  const { data } = resolved.settings
  const { ops, waits, kept } = await restoreFolder(resolve(file), data, { alone: options.alone === true })
  if (out.json) return out.value({ data, ops, signs: !waits, kept })
  await out.data(`${data}: ${count(ops, 'op')}`)
  if (kept.length > 0) out.talk(`left as they were: ${kept.join(', ')}`)
  if (waits) {
    out.talk('Start it with --join: it signs nothing until it has met a peer, whose ops may be newer than the backup.')
    out.talk('If no other node holds what this key has signed, restore with --alone instead.')
  }
}
