/** block, unblock, quota: what this node refuses, and how much of one hand it takes. With the node's main token. */
import { didToOwner, isHex } from '../../crdt/index.ts'
import type { Quota } from '../answers.ts'
import { ClientError } from '../client-error.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode, Failure, printable } from './output.ts'
import { timeOf } from './show.ts'

export async function block(context: Context, what: readonly string[]): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  if (options['list']) {
    if (what.length > 0) throw new Failure(EXIT.usage, '--list takes nothing beside it')
    for (const item of await client.policy.blocks({ signal })) {
      if (out.json) await out.value(item)
      else if (out.quiet) await out.data(item.target)
      else await out.data(`${item.is.padEnd(6)}  ${item.target}  ${timeOf(item.at)}  ${printable(item.reason ?? '')}`)
    }
    return
  }
  if (what.length === 0) throw new Failure(EXIT.usage, 'block whom? A DID, a peer id or a record; or --list')
  for (const name of what) {
    const blocked = await client.policy.block(await targetOf(context, name), options['reason'] as string | undefined, {
      signal,
    })
    if (out.json) await out.value(blocked)
    else if (out.quiet) await out.data(blocked.target)
    else out.talk(`${blocked.is} ${blocked.target} is blocked`)
  }
}

export async function unblock(context: Context, what: readonly string[]): Promise<ExitCode> {
  const { out, signal } = context
  const client = await connect(context)
  let code: ExitCode = EXIT.ok
  for (const name of what) {
    const target = await targetOf(context, name)
    try {
      await client.policy.unblock(target, { signal })
      if (!out.quiet) out.talk(`${target} is not blocked any more`)
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'not-found') throw error
      out.talk(`${target} is not blocked`)
      code = EXIT.notFound
    }
  }
  return code
}

export async function quota(context: Context, did: string | undefined): Promise<void> {
  const { out, options, signal } = context
  const wanted = readQuota(options)
  const client = await connect(context)
  if (did === undefined || options['list']) {
    if (did !== undefined || wanted !== undefined || options['default'])
      throw new Failure(EXIT.usage, '--list takes nothing beside it, and a quota is that of a DID')
    const { default: usual, items } = await client.policy.quotas({ signal })
    if (out.json) return out.value({ default: usual, items })
    if (!out.quiet) await out.data(`everybody  ${textOf(usual)}`)
    for (const item of items) await out.data(out.quiet ? item.did : `${item.did}  ${textOf(item.quota)}`)
    return
  }
  if (didToOwner(did) === undefined) throw new Failure(EXIT.usage, `${JSON.stringify(did)} is no did of an owner`)
  if (options['default'] && wanted !== undefined) throw new Failure(EXIT.usage, '--default takes nothing beside it')
  if (options['default']) await client.policy.removeQuota(did, { signal })
  else if (wanted !== undefined) await client.policy.setQuota(did, wanted, { signal })
  const now = await client.policy.quota(did, { signal })
  if (out.json) return out.value(now)
  if (out.quiet) return out.data(now.did)
  await out.data(`quota  ${textOf(now.quota)}`)
  await out.data(`used   ${textOf(now.used)}`)
}

/** A did, 64 hex digits and a peer id as they are; a record may be named in any other way. */
async function targetOf(context: Context, name: string): Promise<string> {
  if (name.startsWith('did:') || isHex(name, 64) || !/[/:]/.test(name)) return name
  return (await (await connect(context)).resolve(name, { signal: context.signal })).id
}

const OPTIONS = { opsPerHour: 'ops_per_hour', records: 'records', bytes: 'bytes' } as const

function readQuota(options: Context['options']): Quota | undefined {
  const quota: Record<string, number> = {}
  for (const [option, name] of Object.entries(OPTIONS)) {
    const value = options[option]
    if (value !== undefined) quota[name] = value as number
  }
  return Object.keys(quota).length > 0 ? quota : undefined
}

function textOf({ ops_per_hour, records, bytes }: Quota): string {
  const parts = { 'ops an hour': ops_per_hour, records, bytes }
  return Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ')
}
