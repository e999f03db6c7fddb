/**
 * Signatures of webhook deliveries, in the form of the Standard Webhooks specification, for which libraries exist:
 *
 *   webhook-id          names the delivery; the same at every attempt
 *   webhook-timestamp   seconds since 1970, of this attempt
 *   webhook-signature   `v1,` and the base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`
 *
 * A secret is `whsec_` and base64. It is made from one master secret of the node and the webhook's id, so that it need
 * not be kept anywhere.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

const PREFIX = 'whsec_'

export function webhookSecret(master: string, id: string): string {
  return PREFIX + createHmac('sha256', master).update(`webhook ${id}`).digest('base64')
}

/** `seconds` since 1970. */
export function signWebhook(secret: string, id: string, seconds: number, body: string): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${macOf(secret, id, seconds, body).toString('base64')}`,
  }
}

/**
 * What a receiver does: true when the body was signed with this secret no longer than `toleranceSeconds` ago (or as
 * little ahead). Any headers answer true or false. Compared in constant time.
 */
export function verifyWebhook(
  secret: string,
  headers: { readonly id: string; readonly timestamp: string; readonly signature: string },
  body: string,
  nowSeconds: number,
  toleranceSeconds = 300,
): boolean {
  const seconds = /^\d{1,15}$/.test(headers.timestamp) ? Number(headers.timestamp) : Number.NaN
  if (!(Math.abs(nowSeconds - seconds) <= toleranceSeconds)) return false
  const wanted = macOf(secret, headers.id, seconds, body)
  return headers.signature.split(' ').some((each) => {
    const given = Buffer.from(each.replace(/^v1,/, ''), 'base64')
    return each.startsWith('v1,') && given.length === wanted.length && timingSafeEqual(given, wanted)
  })
}

function macOf(secret: string, id: string, seconds: number, body: string): Buffer {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
  return createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest()
}
