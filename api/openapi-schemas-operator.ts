/** Schemas of what an operator sets: webhooks, blocks and quotas. */
import { policyReasonCharsMax } from '../node/index.ts'
import { schema } from './openapi-parts.ts'
import { COUNT, DID, list, object, TEXT } from './openapi-values.ts'

export function policySchemas(): Record<string, unknown> {
  const quota = object({ ops_per_hour: COUNT, records: COUNT, bytes: COUNT }, [])
  const reason = { type: 'string', maxLength: policyReasonCharsMax, description: 'For whoever runs the node.' }
  const is = { type: 'string', enum: ['did', 'record', 'peer'] }
  return {
    BlockWish: object({ reason }, []),
    Block: object({ target: TEXT, is, at: { ...COUNT, description: 'ms since 1970.' }, reason }, [
      'target',
      'is',
      'at',
    ]),
    Blocks: object({ items: list(schema('Block')) }),
    Quota: { ...quota, description: '0 is no bound. Ops are counted over an hour, records and bytes in all.' },
    OwnerQuota: object({ did: DID, quota: schema('Quota'), used: schema('Quota') }),
    Quotas: object({ default: schema('Quota'), items: list(object({ did: DID, quota: schema('Quota') })) }),
  }
}

export function webhookSchemas(names: readonly string[]): Record<string, unknown> {
  const wish = {
    url: { ...TEXT, description: 'http or https, at a public address.' },
    kinds: { ...list({ type: 'string', enum: names }), description: 'Left out, all.' },
    description: TEXT,
  }
  const failure = { status: { type: 'integer', description: 'What the receiver answered last.' }, error: TEXT }
  const hook = {
    id: TEXT,
    url: TEXT,
    owner: { ...TEXT, description: 'Name of the token it was made with.' },
    kinds: wish.kinds,
    description: TEXT,
    active: { type: 'boolean' },
    created: { ...COUNT, description: 'ms since 1970.' },
    cursor: { ...COUNT, description: 'The seq up to which everything was taken or given up.' },
    failing: object({ attempts: COUNT, ...failure }, ['attempts']),
    dead_letters: COUNT,
    dead_letters_dropped: COUNT,
  }
  const required = ['id', 'url', 'owner', 'active', 'created', 'cursor', 'dead_letters', 'dead_letters_dropped']
  const secret = { ...TEXT, description: 'For checking webhook-signature (Standard Webhooks). Shown here only.' }
  const letter = object({ letter: COUNT, from: COUNT, to: COUNT, at: COUNT, attempts: COUNT, ...failure }, [
    'letter',
    'from',
    'to',
    'at',
    'attempts',
  ])
  return {
    WebhookWish: object({ ...wish, since: COUNT }, ['url']),
    WebhookChange: object({ ...wish, active: { type: 'boolean' } }, []),
    Webhook: object(hook, required),
    NewWebhook: object({ ...hook, secret }, [...required, 'secret']),
    WebhookList: object({ items: list(schema('Webhook')) }),
    DeadLetters: object({ items: list(letter), next_cursor: TEXT }, ['items']),
    Redelivered: object({ taken: { type: 'boolean' }, ...failure }, ['taken']),
    Delivery: object({ webhook: TEXT, delivery: TEXT, epoch: TEXT, changes: list(schema('Change')) }),
  }
}
