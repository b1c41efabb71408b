import type { SipResponse } from '../../protocols/sip/message.ts'

/** An answer. Via, From, To, Call-ID and CSeq come from the request. */
export interface MessageReply {
  readonly status: number
  readonly reason?: string
  /** To tag of a relayed response; one is made where there is none. */
  readonly toTag?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
}

/** Taken, and kept for later delivery, which is not promised (RFC 3428 §7). */
export const accepted: MessageReply = { status: 202 }

/** A device's 2xx as the sender's. */
export function relayedAcceptance({ status, reason, headers }: SipResponse): MessageReply {
  const toTag = tagOf(headers.get('to') ?? '')
  return toTag === undefined ? { status, reason } : { status, reason, toTag }
}

/** Header fields that the transaction writes itself. */
const ofTransaction: ReadonlySet<string> = new Set([
  'via',
  'from',
  'to',
  'call-id',
  'cseq',
  'content-length',
  'record-route',
])

/** A response as it came. */
export function relayedResponse(response: SipResponse): MessageReply {
  const headers: [string, string][] = []
  for (const [name, written, value] of response.headers.entries()) {
    if (!ofTransaction.has(name)) headers.push([written, value])
  }
  return { ...relayedAcceptance(response), headers, body: response.body }
}

function tagOf(to: string): string | undefined {
  const at = to.indexOf(';tag=', to.lastIndexOf('>') + 1)
  if (at === -1) return undefined
  const end = to.indexOf(';', at + 5)
  return (end === -1 ? to.slice(at + 5) : to.slice(at + 5, end)).trim()
}
