import { featuresOf } from '../../protocols/sip/accept-contact.ts'
import { ownCopy } from '../../protocols/sip/own-copy.ts'
import { type Params, readParams } from '../../protocols/sip/params.ts'

/** Parameters of a contact, but those that a binding has of its own. Phones of one make share one. */
export interface Features {
  readonly text: string
  /** Those that tell what the device can do (RFC 3840 §9). */
  readonly params: Params
}

const most = 4096
const known = new Map<string, Features>()

/** One object for each text, so that 100,000 alike phones cost what one costs. Bounded: a stranger may invent many. */
export function featuresFrom(text: string): Features {
  const seen = known.get(text)
  if (seen !== undefined) return seen
  const own = ownCopy(text)
  const features = { text: own, params: featuresOf(readParams(own)) }
  if (known.size < most) known.set(own, features)
  return features
}
