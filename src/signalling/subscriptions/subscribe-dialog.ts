import { randomUUID } from 'node:crypto'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr, writeNameAddr } from '../../protocols/sip/name-addr.ts'
import { interned, ownCopy } from '../../protocols/sip/own-copy.ts'
import type { InboundRequest, SipReply } from '../edge/sip-port.ts'
import type { SubscribeRequest } from './subscribe-request.ts'
import type { Subscription, SubscriptionFields } from './subscription.ts'

export interface SubscribeService extends InboundRequest {
  readonly sender: { readonly aor: string; readonly anonymous: boolean; readonly subscriber?: { readonly id: number } }
  /** Canonical address of the request-URI; empty where that names the server itself. */
  readonly recipient: string
}

interface Own {
  readonly localTag: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly contact: string
}

/** A new subscription, in the dialog that its SUBSCRIBE makes (RFC 6665 §4.4.1). Nothing of it keeps the request in memory. */
export const fieldsOf = (
  { source, sender, recipient }: SubscribeService,
  asked: SubscribeRequest,
  { localTag, expiresAt, contact }: Own,
): SubscriptionFields => ({
  id: randomUUID(),
  resource: recipient,
  subscriber: sender.aor,
  owner: sender.subscriber?.id,
  anonymous: sender.anonymous,
  userAgent: interned(asked.userAgent),
  eventText: interned(asked.eventText),
  accept: asked.accept.map(interned),
  supported: asked.supported.map(interned),
  body: asked.body,
  state: 'pending',
  expiresAt,
  dialog: {
    callId: ownCopy(asked.callId),
    local: ownCopy(writeNameAddr({ ...readNameAddr(asked.to), params: new Map([['tag', localTag]]) })),
    remote: ownCopy(asked.from),
    localTag,
    remoteTag: ownCopy(asked.remoteTag),
    remoteTarget: ownCopy(asked.contact),
    routeSet: asked.recordRoute.map(interned),
    flow: source.flow,
    contact: interned(contact),
    localSeq: 0,
    remoteSeq: asked.cseq,
  },
})

/** RFC 6665 §4.2.1.3, and nobody goes on with the subscription of somebody else. */
export function isOf(
  { state, dialog, event, owner, subscriber }: Subscription,
  asked: SubscribeRequest,
  sender: SubscribeService['sender'],
): boolean {
  return (
    state !== 'terminated' &&
    dialog.remoteTag === asked.remoteTag &&
    event.package === asked.event.package &&
    event.params.get('id') === asked.event.params.get('id') &&
    (owner === undefined ? sender.aor === subscriber : sender.subscriber?.id === owner)
  )
}

export function accepted({ dialog }: Subscription, { headers }: SipRequest, expires: number, toTag?: string): SipReply {
  return {
    status: 200,
    ...(toTag !== undefined && { toTag }),
    headers: [
      ...headers.all('record-route').map((value) => ['Record-Route', value] as const),
      ['Contact', dialog.contact],
      ['Expires', String(expires)],
    ],
  }
}

/** Accept with its ranges (RFC 3261 §20.1). */
export const takes = (accept: readonly string[], type: string): boolean =>
  accept.some((one) => one === type || one === '*/*' || (one.endsWith('/*') && type.startsWith(one.slice(0, -1))))
