/** What a node's operator thinks that the parts of a search's score are worth: `freshness=0.1`, one for each part. */
import { ConfigError } from './config.ts'

/** ConfigError for a part there is none of, and for a weight outside 0 to 100. */
export function readWeights<Part extends string>(
  given: readonly string[],
  parts: readonly Part[],
): Partial<Record<Part, number>> {
  const weights: Partial<Record<Part, number>> = {}
  for (const text of given) {
    const [name = '', value = ''] = text.split('=')
    const part = parts.find((each) => each === name.trim())
    if (part === undefined) {
      throw new ConfigError(`search_weights: expected one of ${parts.join(', ')}, got ${JSON.stringify(name)}`)
    }
    const weight = value.trim() === '' ? Number.NaN : Number(value)
    if (!(weight >= 0 && weight <= WEIGHT_MAX)) {
      throw new ConfigError(`search_weights: expected ${part}=0 to ${WEIGHT_MAX}, got ${JSON.stringify(text)}`)
    }
    weights[part] = weight
  }
  return weights
}

/** Beyond a hundred times another part nothing but this one is seen. */
const WEIGHT_MAX = 100
