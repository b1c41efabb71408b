import { type CSeq, readCSeq } from './cseq.ts'
import type { Headers } from './headers.ts'
import { MalformedSip } from './malformed-sip.ts'
import type { SipMessage, SipRequest, SipResponse } from './message.ts'
import { type NameAddr, readNameAddr } from './name-addr.ts'
import { readUri } from './uri.ts'
import { readTopVia, type Via } from './via.ts'

/** What every message must have, read. */
export interface Checked {
  readonly via: Via
  readonly from: NameAddr
  readonly to: NameAddr
  readonly callId: string
  readonly cseq: CSeq
}

/**
 * Checks what every request must have (RFC 3261 §8.1.1, §8.2, §16.3 step 1): Via, From, To, Call-ID and CSeq, each well
 * formed, CSeq with the method of the request; a Max-Forwards that is one; a request-URI that can be read; and no field
 * twice that may be there once. Whether the server knows the scheme of the request-URI is for the server to say.
 * Throws MalformedSip, with the request in it.
 */
export function checkRequest(request: SipRequest): Checked {
  try {
    const checked = checkMessage(request)
    if (checked.cseq.method !== request.method) throw new MalformedSip('CSeq is of another method')
    checkMaxForwards(request.headers.get('max-forwards'))
    if (readUri(request.uri).headers !== '') throw new MalformedSip('header fields in the request-URI')
    return checked
  } catch (err) {
    if (err instanceof MalformedSip) throw new MalformedSip(err.message, err.status, request)
    throw err
  }
}

/** Checks what every response must have; one that fails is dropped (RFC 3261 §18.1.2). Throws MalformedSip. */
export function checkResponse(response: SipResponse): Checked {
  return checkMessage(response)
}

function checkMessage(message: SipMessage): Checked {
  const { headers } = message
  const repeated = headers.repeated(single)
  if (repeated !== undefined) throw new MalformedSip(`${repeated} comes twice`)
  const via = readTopVia(headers)
  const from = readNameAddr(needed(headers, 'from'))
  const to = readNameAddr(needed(headers, 'to'))
  readUri(from.uri)
  readUri(to.uri)
  const callId = needed(headers, 'call-id')
  if (!callIds.test(callId)) throw new MalformedSip('not a Call-ID')
  return { via, from, to, callId, cseq: readCSeq(needed(headers, 'cseq')) }
}

function needed(headers: Headers, name: string): string {
  const value = headers.get(name)
  if (value === undefined) throw new MalformedSip(`no ${name}`)
  return value
}

/** The grammar allows fewer (`word` of RFC 3261 §25.1), but an identifier that is only compared may have any. */
const callIds = /^[\x21-\x7e\x80-\xff]+$/

/** Header fields whose value is no list (RFC 3261 §7.3.1, §20), each with a bit of its own. */
const single: ReadonlyMap<string, number> = new Map(
  [
    'from',
    'to',
    'call-id',
    'cseq',
    'max-forwards',
    'content-length',
    'content-type',
    'content-disposition',
    'mime-version',
    'expires',
    'min-expires',
    'date',
    'event',
    'timestamp',
    'subject',
    'refer-to',
    'referred-by',
    'replaces',
    'session-expires',
    'sip-etag',
    'sip-if-match',
    'subscription-state',
  ].map((name, index) => [name, 2 ** index] as const),
)

function checkMaxForwards(value: string | undefined): void {
  if (value === undefined) return
  if (!/^[0-9]{1,9}$/.test(value) || Number(value) > 255) throw new MalformedSip('Max-Forwards is not 0 to 255')
}
