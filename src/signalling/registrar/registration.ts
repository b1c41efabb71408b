import { readCSeq } from '../../protocols/sip/cseq.ts'
import { splitList } from '../../protocols/sip/lists.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { type NameAddr, readNameAddr } from '../../protocols/sip/name-addr.ts'
import { ownCopy } from '../../protocols/sip/own-copy.ts'
import { unquote } from '../../protocols/sip/quoted-string.ts'
import { readUri, type Uri } from '../../protocols/sip/uri.ts'

/** What a REGISTER asks for (RFC 3261 §10.2, §10.3). */
export interface Registration {
  readonly callId: string
  readonly cseq: number
  /** `*`: all that is registered is to go. */
  readonly removesAll: boolean
  readonly contacts: readonly Contact[]
  readonly path: readonly string[]
  /** Option tags of Supported, in lower case. */
  readonly supported: ReadonlySet<string>
  /** The request came from the device itself, over no proxy. */
  readonly direct: boolean
}

/** A contact to be bound, or with `expires` 0 to be removed. */
export interface Contact {
  readonly uri: string
  readonly parsed: Uri
  /** Seconds; undefined where the request names none. */
  readonly expires: number | undefined
  /** In thousandths. */
  readonly q: number
  /** +sip.instance without its quotes and brackets. */
  readonly instance: string | undefined
  /** 0 where outbound is not used. */
  readonly regId: number
  /** The other parameters as written. */
  readonly params: string
}

const longestContact = 1000
const longestInstance = 250
const mostContacts = 50
const mostHops = 10
/** What an expiry that cannot be read stands for (RFC 3261 §20.10, §20.19). */
const unreadable = 3600
const longest = 2 ** 32 - 1

/** Reads a REGISTER. Throws MalformedSip where its grammar, or RFC 3261 §10.2.2 and RFC 5626 §6, are not followed. */
export function readRegistration(message: SipRequest): Registration {
  const { headers } = message
  const supported = new Set(headers.all('supported').flatMap((value) => splitList(value.toLowerCase())))
  const items = headers.all('contact').flatMap(splitList)
  const expires = readExpires(headers.get('expires'))
  const removesAll = items.includes('*')
  if (removesAll && (items.length > 1 || expires !== 0))
    throw new MalformedSip('Contact: * stands alone, with Expires: 0')
  if (items.length > mostContacts) throw new MalformedSip('too many contacts')
  const contacts = removesAll ? [] : items.map((item) => readContact(item, expires, supported.has('outbound')))
  if (contacts.length > 1 && contacts.some((contact) => contact.regId > 0 && contact.expires !== 0)) {
    throw new MalformedSip('outbound registers one contact at a time')
  }
  const vias = headers.all('via')
  return {
    callId: ownCopy(headers.get('call-id') ?? ''),
    cseq: readCSeq(headers.get('cseq') ?? '').number,
    removesAll,
    contacts,
    path: readPath(headers.all('path')),
    supported,
    direct: vias.length === 1 && vias[0]?.includes(',') === false,
  }
}

function readContact(item: string, expires: number | undefined, outbound: boolean): Contact {
  const address = readNameAddr(item)
  const parsed = readUri(address.uri)
  if (parsed.scheme !== 'sip' && parsed.scheme !== 'sips') throw new MalformedSip('a contact is a SIP address')
  const params = paramsOf(address)
  if (address.uri.length > longestContact || params.length > 2 * longestContact)
    throw new MalformedSip('a contact is too long')
  const instance = instanceOf(address)
  return {
    uri: ownCopy(address.uri),
    parsed,
    expires: readExpires(address.params.get('expires')) ?? expires,
    q: readQ(address.params.get('q')),
    instance,
    regId: outbound && instance !== undefined ? readRegId(address.params.get('reg-id')) : 0,
    params,
  }
}

const ownFields = new Set(['expires', 'q', '+sip.instance', 'reg-id'])

function paramsOf(address: NameAddr): string {
  let text = ''
  for (const [name, value] of address.params) {
    if (!ownFields.has(name)) text += value === undefined ? `;${name}` : `;${name}=${value}`
  }
  return text
}

/** RFC 5626 §4.1: a URN in angle brackets, quoted. */
function instanceOf(address: NameAddr): string | undefined {
  const written = address.params.get('+sip.instance')
  if (written === undefined) return undefined
  const instance = unquote(written).replace(/^<|>$/g, '')
  if (instance === '' || instance.length > longestInstance || /["\\<>]/.test(instance)) {
    throw new MalformedSip('+sip.instance is a URN in angle brackets')
  }
  return ownCopy(instance)
}

function readRegId(value: string | undefined): number {
  if (value === undefined) return 0
  const regId = Number(value)
  if (!/^\d{1,10}$/.test(value) || regId < 1 || regId >= 2 ** 31) throw new MalformedSip('reg-id is a positive number')
  return regId
}

function readExpires(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  return /^\s*\d+\s*$/.test(value) ? Math.min(Number(value), longest) : unreadable
}

/** Without a q a contact is as good as any (RFC 3261 §20.10). */
function readQ(value: string | undefined): number {
  if (value === undefined || !/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(value)) return 1000
  return Math.round(Number(value) * 1000)
}

const noPath: readonly string[] = []

/** The hops of Path as Route values, the first one first (RFC 3327 §5.3). */
function readPath(values: readonly string[]): readonly string[] {
  if (values.length === 0) return noPath
  const path = values.flatMap(splitList)
  if (path.length > mostHops) throw new MalformedSip('Path has too many hops')
  for (const hop of path) readUri(readNameAddr(hop).uri)
  return path.map(ownCopy)
}
