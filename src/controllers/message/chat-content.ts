import { readCpim, writeCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { icsi, servicesOfDevice, servicesOfRequest, serviceTag } from '../../protocols/cpm/services.ts'
import { isComposingType } from '../../protocols/is-composing/is-composing.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import type { Device } from './device.ts'
import type { MessageTypes } from './dialogs.ts'
import { cameInSession, deferredInvite } from './session-message.ts'

/** Whether a kept message came in a chat. */
export const cameInChat = (kept: SipRequest): boolean =>
  cameInSession(kept) && servicesOfRequest(kept.headers).has(icsi.session)

/** Feature tags of clients that have message sessions (RFC 4569) and speak of no services of CPM. */
const messageFeatures = ['message', '+sip.message', '+g.oma.sip-im']

export const takesChats = ({ features }: Pick<Device, 'features'>): boolean =>
  servicesOfDevice(features)?.has(icsi.session) === true || messageFeatures.some((name) => features.has(name))

/** Messages of one conversation from one sender to one device go in one session, and no others. */
export const conversationOf = ({ headers }: SipRequest, { owner, device }: Device): string =>
  [
    ...[owner, device, originOf(headers)],
    ...['conversation-id', 'contribution-id'].map((name) => headers.get(name) ?? ''),
  ].join('\n')

/** Who has sent it, as far as its recipient may know: as a name-addr. */
export function originOf(headers: Headers): string {
  return headers.get('p-asserted-identity') ?? `<${readNameAddr(headers.get('from') ?? '').uri}>`
}

/**
 * The INVITE of the server's own by which a device gets what was said in a chat. Clients know it by its identity, and find
 * who has sent the messages in Referred-By (features 1.3).
 */
export function chatInvite(kept: SipRequest, device: Device, offer: Buffer, newId: () => string, domain: string) {
  const { method, uri, headers, body } = deferredInvite(kept, device, offer, newId)
  const own = headers.without(ofOrigin)
  own.add('P-Asserted-Identity', `<sip:rcse-standfw@${domain}>`)
  own.add('Referred-By', originOf(kept.headers))
  own.add('Contact', `<sip:rcse-standfw@features.invalid>;${serviceTag(icsi.session)}`)
  return new SipRequest(method, uri, own, body)
}

const ofOrigin: ReadonlySet<string> = new Set(['p-asserted-identity', 'referred-by', 'date', 'privacy'])

/** Clients that do not find message/imdn+xml here do not notify. */
export const chatTypes = (kept: SipRequest): MessageTypes => ({
  acceptTypes: [...new Set(['message/cpim', isComposingType, typeOf(kept)])],
  acceptWrappedTypes: ['text/plain', 'message/imdn+xml', isComposingType, '*'],
})

export interface ChatContent {
  readonly contentType: string
  readonly body: Buffer
}

/** A message in the form that its receiver takes: wrapped in CPIM, or taken out of it, where that is what it needs. */
export function contentFor(kept: SipRequest, { acceptTypes, acceptWrappedTypes }: MessageTypes): ChatContent {
  const contentType = kept.headers.get('content-type') ?? 'text/plain'
  const plain = { contentType, body: kept.body }
  if (has(acceptTypes, typeOf(kept))) return plain
  if (typeOf(kept) === 'message/cpim') return innerOf(kept, acceptTypes) ?? plain
  const wraps = has(acceptTypes, 'message/cpim') && has(acceptWrappedTypes, typeOf(kept))
  return wraps ? wrapped(kept, contentType) : plain
}

function innerOf({ body }: SipRequest, acceptTypes: readonly string[]): ChatContent | undefined {
  try {
    const cpim = readCpim(body)
    const contentType = cpim.content.get('content-type') ?? 'text/plain'
    return has(acceptTypes, mediaType(contentType)) ? { contentType, body: cpim.body } : undefined
  } catch (err) {
    if (err instanceof MalformedCpim) return undefined
    throw err
  }
}

function wrapped({ headers, uri, body }: SipRequest, contentType: string): ChatContent {
  const at = Date.parse(headers.get('date') ?? '')
  const cpim = writeCpim({
    headers: [
      { namespace: '', name: 'From', value: originOf(headers) },
      { namespace: '', name: 'To', value: `<${uri}>` },
      ...(Number.isNaN(at) ? [] : [{ namespace: '', name: 'DateTime', value: new Date(at).toISOString() }]),
    ],
    content: new Map([['content-type', contentType]]),
    body,
  })
  return { contentType: 'message/cpim', body: cpim }
}

const typeOf = ({ headers }: SipRequest): string => mediaType(headers.get('content-type') ?? 'text/plain')

/** Whether a list of content types has this one (RFC 4975 §8.6). */
const has = (types: readonly string[], type: string): boolean =>
  types.some((one) => one === '*' || one.toLowerCase() === type || one === `${type.slice(0, type.indexOf('/'))}/*`)

const ofInvite = new Set(['conversation-id', 'contribution-id', 'inreplyto-contribution-id', 'accept-contact'])
const written: Readonly<Record<string, string>> = {
  'conversation-id': 'Conversation-ID',
  'contribution-id': 'Contribution-ID',
  'inreplyto-contribution-id': 'InReplyTo-Contribution-ID',
  'accept-contact': 'Accept-Contact',
}

export interface Saying {
  /** The INVITE, or a message kept of it, with the ids of the conversation. */
  readonly chat: Headers
  readonly from: string
  readonly to: string
  readonly content: ChatContent
  readonly newId: () => string
}

/** What was said in a chat as a MESSAGE: a notification, or an answer to somebody who is not in it any more. */
export function messageOf({ chat, from, to, content, newId }: Saying): SipRequest {
  const headers = new Headers([
    ['From', `<${from}>;tag=${newId().slice(0, 18)}`],
    ['To', `<${to}>`],
    ['Call-ID', newId()],
    ['CSeq', '1 MESSAGE'],
    ['Max-Forwards', '70'],
  ])
  for (const name of ofInvite) for (const value of chat.all(name)) headers.add(written[name] as string, value)
  headers.add('P-Preferred-Service', icsi.session)
  headers.add('Content-Type', content.contentType)
  return new SipRequest('MESSAGE', to, headers, content.body)
}
