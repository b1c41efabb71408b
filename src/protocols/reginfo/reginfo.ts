import { escapeAttribute } from '../xml/references.ts'

export const reginfoType = 'application/reginfo+xml'

/** An address of record with its contacts (RFC 3680 §5.2). */
export interface RegisteredAddress {
  readonly aor: string
  readonly id: string
  readonly contacts: readonly RegisteredContact[]
}

export interface RegisteredContact {
  readonly id: string
  readonly uri: string
  readonly event: 'registered' | 'expired' | 'unregistered' | 'created' | 'refreshed' | 'deactivated'
  /** Seconds. */
  readonly expires: number
  readonly callId: string
  readonly cseq: number
}

/** The whole state; `version` goes up by one with each document of a subscription. */
export function writeReginfo(version: number, addresses: readonly RegisteredAddress[]): Buffer {
  const registrations = addresses.map(({ aor, id, contacts }) => {
    const state = contacts.length > 0 ? 'active' : 'terminated'
    return `<registration${attributes({ aor, id, state })}>${contacts.map(contactElement).join('')}</registration>`
  })
  return Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="${version}" state="full">${registrations.join('')}</reginfo>\n`,
  )
}

const contactElement = ({ id, uri, event, expires, callId, cseq }: RegisteredContact): string =>
  `<contact${attributes({ id, state: 'active', event, expires, callid: callId, cseq })}>` +
  `<uri>${escapeAttribute(uri)}</uri></contact>`

const attributes = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeAttribute(String(value))}"`)
    .join('')
