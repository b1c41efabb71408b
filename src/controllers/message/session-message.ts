import { icsi, servicesOfDevice, servicesOfRequest, serviceTag } from '../../protocols/cpm/services.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr, writeNameAddr } from '../../protocols/sip/name-addr.ts'
import type { Device } from './device.ts'

/** A message out of a session, whole. */
export interface SessionContent {
  /** Message-ID of MSRP. */
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

const ofContent = ['content-type', 'content-length', 'content-disposition', 'content-encoding', 'mime-version']

/** What an INVITE says of its dialog and its session, and not of the message. */
const ofSession: ReadonlySet<string> = new Set([
  ...ofContent,
  'call-id',
  'contact',
  'record-route',
  'allow',
  'supported',
  'require',
  'proxy-require',
  'session-expires',
  'min-se',
  'replaces',
  'target-dialog',
  'accept',
  'user-agent',
])

/** What is said in the chat of a session. */
export interface SaidInSession {
  /** The header fields of its INVITE. */
  readonly chat: Headers
  readonly from: string
  readonly to: string
  readonly content: SessionContent
}

/**
 * The same as a message of its own, for a history: with the ids of the conversation, and a Call-ID that is the same when it
 * is sent again.
 */
export function saidInSession({ chat, from, to, content }: SaidInSession): SipRequest {
  const { messageId, contentType, body } = content
  const headers = new Headers([
    ['From', `<${from}>;tag=chat`],
    ['To', `<${to}>`],
    ['Call-ID', `${messageId.replace(/[^\w.+%=-]/g, '')}.${chat.get('call-id') ?? ''}`],
    ['CSeq', '1 MESSAGE'],
  ])
  for (const [name, written, value] of chat.entries()) if (ofConversation.has(name)) headers.add(written, value)
  headers.add('P-Asserted-Service', icsi.session)
  headers.add('Content-Type', contentType)
  return new SipRequest('MESSAGE', to, headers, body)
}

const ofConversation: ReadonlySet<string> = new Set([
  'conversation-id',
  'contribution-id',
  'inreplyto-contribution-id',
  'privacy',
])

/**
 * A message that came in a session, as it is kept: its INVITE, with the message in place of the session description. The
 * method tells it from a pager message. Several of one session differ by their Call-ID, where they have no imdn.Message-ID.
 */
export function keptFromSession(invite: SipRequest, { messageId, contentType, body }: SessionContent): SipRequest {
  const headers = invite.headers.without(ofSession)
  headers.add('Call-ID', `${messageId.replace(/[^\w.+%=-]/g, '')}.${invite.headers.get('call-id') ?? ''}`)
  headers.add('Content-Type', contentType)
  return new SipRequest('INVITE', invite.uri, headers, body)
}

export const cameInSession = ({ method }: SipRequest): boolean => method === 'INVITE'

const ofKept: ReadonlySet<string> = new Set([
  ...ofContent,
  'from',
  'call-id',
  'cseq',
  'max-forwards',
  'accept-contact',
  'p-asserted-service',
  'expires',
])

/** The INVITE by which a device gets a kept message in a session of the server's own (features 1.3). */
export function deferredInvite(kept: SipRequest, device: Device, offer: Buffer, newId: () => string): SipRequest {
  const headers = kept.headers.without(ofKept)
  const service = serviceFor(kept, device)
  const fields: readonly (readonly [string, string])[] = [
    ['From', withNewTag(kept.headers.get('from') ?? '', newId())],
    ['Call-ID', newId()],
    ['CSeq', '1 INVITE'],
    ['Max-Forwards', '70'],
    ['P-Asserted-Service', service],
    ['Accept-Contact', `*;${serviceTag(service)}`],
    ['Content-Type', 'application/sdp'],
    ...device.path.map((hop) => ['Route', hop] as const),
  ]
  for (const [name, value] of fields) headers.add(name, value)
  return new SipRequest('INVITE', device.contact, headers, offer)
}

/** The same as a pager message, for a device that has no sessions. */
export function asPagerMessage(kept: SipRequest): SipRequest {
  const number = Number.parseInt(kept.headers.get('cseq') ?? '1', 10)
  const headers = new Headers()
  for (const [name, written, value] of kept.headers.entries()) {
    if (!changedForPager.has(name)) headers.add(written, value)
  }
  headers.add('CSeq', `${number} MESSAGE`)
  headers.add('P-Asserted-Service', icsi.message)
  headers.add('Accept-Contact', `*;${serviceTag(icsi.message)}`)
  return new SipRequest('MESSAGE', kept.uri, headers, kept.body)
}

const changedForPager: ReadonlySet<string> = new Set(['cseq', 'accept-contact', 'p-asserted-service', 'content-length'])

/**
 * A large message comes as cpm.deferred to whoever knows that, else as what it was. A chat message comes in a chat.
 */
function serviceFor(kept: SipRequest, { features }: Device): string {
  const known = servicesOfDevice(features)
  const knowsChats = known === undefined || known.has(icsi.session)
  if (knowsChats && servicesOfRequest(kept.headers).has(icsi.session)) return icsi.session
  return known?.has(icsi.largeMessage) === true && !known.has(icsi.deferred) ? icsi.largeMessage : icsi.deferred
}

function withNewTag(from: string, id: string): string {
  const party = readNameAddr(from)
  return writeNameAddr({ ...party, params: new Map(party.params).set('tag', id.slice(0, 18)) })
}
