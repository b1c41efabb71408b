import { Failure } from '../../failure.ts'
import { addressOfRecord } from '../../protocols/sip/address-of-record.ts'
import type { NewSubscriber } from './subscriber.ts'

/** What somebody is known by, and what they authenticate as. */
export interface Identities {
  readonly uris: readonly string[]
  readonly username: string
}

const numberAddress = /^sip:(\+\d+)@/
const longestAddress = 255

/**
 * The canonical addresses of a new subscriber: the given one first, then their number as tel: and as sip:+number@domain,
 * so that each spelling leads to the same user (RFC 3261 §19.1.6).
 */
export function identitiesOf(user: NewSubscriber, domain: string): Identities {
  const aor = localAddress(user.uri, domain)
  const number = numberOf(user.tel) ?? numberAddress.exec(aor)?.[1]
  const uris = number === undefined ? [aor] : [aor, `tel:${number}`, `sip:${number}@${domain}`]
  return { uris: [...new Set(uris)], username: usernameOf(aor) }
}

/** The canonical form of an address of this domain; a Failure for any other. */
export function localAddress(uri: string, domain: string): string {
  const aor = addressOfRecord(uri)
  if (aor === undefined || aor.length > longestAddress) throw new Failure('malformed', `${uri} is no SIP address`)
  if (!aor.startsWith('sip:') || !aor.endsWith(`@${domain}`)) {
    throw new Failure('malformed', `${uri} is no sip: address of ${domain}`)
  }
  return aor
}

/** The global number, such as +15550001. */
function numberOf(tel: string | undefined): string | undefined {
  if (tel === undefined || tel === '') return undefined
  const aor = addressOfRecord(tel.startsWith('tel:') ? tel : `tel:${tel}`)
  if (aor === undefined || !/^tel:\+\d{1,15}$/.test(aor)) {
    throw new Failure('malformed', `${tel} is no global number such as +15550001`)
  }
  return aor.slice('tel:'.length)
}

function usernameOf(aor: string): string {
  const user = aor.slice('sip:'.length, aor.lastIndexOf('@'))
  try {
    return decodeURIComponent(user)
  } catch {
    return user
  }
}
