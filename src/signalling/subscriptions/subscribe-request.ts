import { Failure } from '../../failure.ts'
import { decodeContent } from '../../protocols/mime/content-encoding.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { readCSeq } from '../../protocols/sip/cseq.ts'
import type { Event } from '../../protocols/sip/event.ts'
import { readEvent } from '../../protocols/sip/event.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import { splitList } from '../../protocols/sip/lists.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { tokensOf } from '../../protocols/sip/option-tags.ts'

/** A SUBSCRIBE, read (RFC 6665 §3.1, §4.1). */
export interface SubscribeRequest {
  readonly event: Event
  /** For the NOTIFY to repeat. */
  readonly eventText: string
  /** Seconds; undefined where the request names none. */
  readonly expires: number | undefined
  readonly accept: readonly string[]
  readonly supported: readonly string[]
  readonly userAgent: string
  readonly contact: string
  readonly recordRoute: readonly string[]
  readonly callId: string
  readonly remoteTag: string
  readonly localTag: string | undefined
  readonly cseq: number
  readonly from: string
  readonly to: string
  readonly body: { readonly contentType: string; readonly content: Buffer } | undefined
}

const longestContact = 1_000
const mostHops = 20
const longestUserAgent = 100

/** `mostBytes` bounds the body. Throws MalformedSip where something is missing or wrong, Failure for a body that is not taken. */
export function readSubscribe({ headers, body }: SipRequest, mostBytes: number): SubscribeRequest {
  const eventText = headers.get('event')
  if (eventText === undefined) throw new MalformedSip('Event is missing', 489)
  const [from, to] = [headers.get('from') ?? '', headers.get('to') ?? '']
  const recordRoute = headers.all('record-route').flatMap(splitList)
  if (recordRoute.length > mostHops) throw new MalformedSip('too many hops in Record-Route')
  return {
    event: readEvent(eventText),
    eventText: echoedEvent(eventText.trim(), headers),
    expires: readExpires(headers.get('expires')),
    accept: headers.has('accept') ? headers.all('accept').flatMap((value) => value.split(',').map(mediaType)) : [],
    supported: tokensOf(headers, 'supported'),
    userAgent: (headers.get('user-agent') ?? '').slice(0, longestUserAgent),
    contact: readContact(headers.get('contact')),
    recordRoute,
    callId: headers.get('call-id') ?? '',
    remoteTag: readNameAddr(from).params.get('tag') ?? '',
    localTag: readNameAddr(to).params.get('tag'),
    cseq: readCSeq(headers.get('cseq') ?? '').number,
    from,
    to,
    body: readBody(headers, body, mostBytes),
  }
}

function readBody(headers: Headers, body: Buffer, mostBytes: number): SubscribeRequest['body'] {
  if (body.length === 0) return undefined
  if (body.length > mostBytes) throw new Failure('message-too-large')
  return { contentType: headers.get('content-type') ?? '', content: Buffer.from(plain(headers, body, mostBytes)) }
}

/** Some clients deflate their lists. */
function plain(headers: Headers, body: Buffer, mostBytes: number): Buffer {
  try {
    return decodeContent(body, headers.get('content-encoding'), mostBytes)
  } catch (err) {
    if (err instanceof MalformedMime) throw new Failure('unsupported-content', err.message, { cause: err })
    throw err
  }
}

/**
 * NOTIFY repeats Event byte by byte (RFC 6665 §8.2.1). Linphone subscribes its lists to `presence`, and reads a NOTIFY
 * for them only where that says `Presence`, as the server of its makers does.
 */
function echoedEvent(text: string, headers: Headers): string {
  const isLinphone = /^Linphone/i.test(headers.get('user-agent') ?? '')
  return isLinphone && tokensOf(headers, 'supported').includes('eventlist')
    ? text.replace(/^presence\b/, 'Presence')
    : text
}

function readContact(value: string | undefined): string {
  if (value === undefined) throw new MalformedSip('Contact is missing')
  const { uri } = readNameAddr(value)
  if (uri.length > longestContact) throw new MalformedSip('Contact is too long')
  return uri
}

/** What cannot be read stands for none. */
function readExpires(value: string | undefined): number | undefined {
  const seconds = value === undefined ? Number.NaN : Number(/^\s*(\d{1,10})\s*$/.exec(value)?.[1])
  return Number.isNaN(seconds) ? undefined : Math.min(seconds, 2 ** 32 - 1)
}

const mediaType = (value: string): string => (value.split(';', 1)[0] as string).trim().toLowerCase()
