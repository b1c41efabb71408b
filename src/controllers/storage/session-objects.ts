import { conversationFolder } from '../../protocols/cpm/conversation-folder.ts'
import { hasAttribute } from '../../protocols/sdp/attributes.ts'
import { isMsrp } from '../../protocols/sdp/msrp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { writeSdp } from '../../protocols/sdp/write-sdp.ts'
import { writeSipDate } from '../../protocols/sip/date.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import type { NewContent, NewObject, Parties, PassingFile, Side } from './needs.ts'
import type { StoredMedium } from './storage-policy.ts'

type SessionMedium = Exclude<StoredMedium, 'message'>

/** How a call went. */
export type CallOutcome = 'answered' | 'missed' | 'declined'

/** What there is to say of a session. */
export interface SessionFacts {
  readonly invite: Headers
  readonly parties: Parties
  /** Milliseconds since 1970. */
  readonly begun: number
  readonly answeredAt: number | undefined
  readonly endedAt: number | undefined
  readonly agreed: Readonly<Record<Side, SessionDescription>> | undefined
}

/** The media that both parties take. */
export function mediaOf(agreed: SessionFacts['agreed']): ReadonlySet<SessionMedium> {
  const media = new Set<SessionMedium>()
  for (const [index, line] of (agreed?.caller.media ?? []).entries()) {
    const answered = agreed?.callee.media[index]
    if (line.port === 0 || answered === undefined || answered.port === 0) continue
    const medium = mediumOf(line, answered)
    if (medium !== undefined) media.add(medium)
  }
  return media
}

function mediumOf(line: MediaDescription, answered: MediaDescription): SessionMedium | undefined {
  if (isMsrp(line)) return [line, answered].some((one) => hasAttribute(one, 'file-selector')) ? 'file' : 'chat'
  if (line.media === 'audio') return 'voice'
  return line.media === 'video' ? 'video' : undefined
}

/** The media that an offer asks for. */
export const mediaOffered = (offer: SessionDescription | undefined): ReadonlySet<SessionMedium> =>
  mediaOf(offer && { caller: offer, callee: offer })

/** The session info object (features 1.8) as the party of that side has it. */
export function sessionObject(id: string, side: Side, facts: SessionFacts): NewObject & { payload: NewContent } {
  return {
    ...commonOf(id, side, facts),
    kind: 'session',
    attributes: attributesOf(side, facts),
    payload: sessionPayload(side, facts),
  }
}

export function callObject(id: string, side: Side, facts: SessionFacts, outcome: CallOutcome): NewObject {
  return { ...commonOf(id, side, facts), kind: 'call', attributes: callAttributes(side, facts, outcome) }
}

export interface FileOf {
  readonly id: string
  readonly side: Side
  /** Who sends it. */
  readonly from: Side
  readonly facts: SessionFacts
  readonly file: PassingFile
  readonly content: AsyncIterable<Buffer>
  readonly at: number
}

/** A file object (features 1.8); its first part tells of the second, which is the file. */
export function fileObject({ id, side, from, facts, file, content, at }: FileOf): NewObject {
  const { selector, contentType, media } = file
  const cid = `${id}@file.invalid`
  const type = selector?.type ?? (contentType || 'application/octet-stream')
  const about = [
    element('file-transfer-type', '1-1'),
    element('invited-participants', participants(side, facts)),
    `<file-object>${element('cid', `cid:${cid}`)}${media === undefined ? '' : element('sdp', linesOf(media))}</file-object>`,
  ]
  const name = selector?.name
  return {
    ...commonOf(id, side, facts),
    kind: 'file',
    date: at,
    direction: side === from ? 'out' : 'in',
    flags: side === from ? ['\\Seen'] : [],
    attributes: {
      ...attributesOf(side, facts),
      ...(from === 'callee' && { From: [facts.parties.callee.aor], To: [callerAsSeenBy(side, facts)] }),
      ...(name !== undefined && { 'File-Name': [name] }),
      ...(selector?.size !== undefined && { 'File-Size': [String(selector.size)] }),
    },
    parts: [
      { contentType: fileType, content: xml('file', about) },
      { contentType: type, content, contentId: cid, disposition: 'attachment', ...(name && { fileName: name }) },
    ],
  }
}

export function callAttributes(side: Side, facts: SessionFacts, outcome: CallOutcome): NewObject['attributes'] {
  const { answeredAt, endedAt } = facts
  const duration = answeredAt === undefined || endedAt === undefined ? undefined : endedAt - answeredAt
  const missed = side === 'caller' ? 'unanswered' : 'missed'
  return {
    ...attributesOf(side, facts),
    'Call-Status': [outcome === 'missed' ? missed : outcome],
    ...(duration !== undefined && { 'Call-Duration': [String(Math.round(duration / 1000))] }),
  }
}

export function attributesOf(side: Side, facts: SessionFacts): NewObject['attributes'] {
  const { invite, parties, answeredAt, endedAt } = facts
  const subject = invite.get('subject')
  return {
    From: [callerAsSeenBy(side, facts)],
    To: [parties.callee.aor],
    'Session-Type': ['1-1'],
    'Invited-Participants': [participants(side, facts)],
    ...(subject !== undefined && { Subject: [subject] }),
    ...(answeredAt !== undefined && { 'Session-Start': [new Date(answeredAt).toISOString()] }),
    ...(endedAt !== undefined && { 'Session-End': [new Date(endedAt).toISOString()] }),
  }
}

/** multipart/related with a description of the session, and of its media, as its root. */
export function sessionPayload(side: Side, facts: SessionFacts): NewContent {
  const { answeredAt, begun, endedAt, agreed } = facts
  const about = [
    element('session-type', '1-1'),
    element('invited-participants', participants(side, facts)),
    element('from', callerAsSeenBy(side, facts)),
    element('start', writeSipDate(answeredAt ?? begun)),
    ...(endedAt === undefined ? [] : [element('end', writeSipDate(endedAt))]),
    // Where the other party is, is nobody's business: what both have agreed on is in either description.
    ...(agreed === undefined ? [] : [element('sdp', textOf(agreed[side]))]),
  ]
  const root = xml('session', about)
  return {
    contentType: `multipart/related; boundary="${boundary}"; type="${sessionType}"`,
    content: Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Type: ${sessionType}\r\n\r\n`),
      root,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  }
}

const sessionType = 'Application/X-CPM-Session'
const fileType = 'Application/X-CPM-File-Transfer'
/** SDP has no line that begins with two hyphens. */
const boundary = '=_cpm-session_='

function commonOf(id: string, side: Side, facts: SessionFacts) {
  const { invite, parties, begun } = facts
  const [conversationId, contributionId] = ['conversation-id', 'contribution-id'].map((name) => invite.get(name))
  return {
    id,
    date: begun,
    direction: side === 'caller' ? ('out' as const) : ('in' as const),
    peer: side === 'caller' ? parties.callee.aor : callerAsSeenBy(side, facts),
    folderPath: ['Default', conversationFolder(otherAsSeenBy(side, facts))],
    flags: side === 'caller' ? ['\\Seen'] : [],
    ...(conversationId !== undefined && { conversationId }),
    ...(contributionId !== undefined && { contributionId }),
  }
}

const participants = (side: Side, facts: SessionFacts): string =>
  `${callerAsSeenBy(side, facts)};${facts.parties.callee.aor}`

/** RFC 3323: a caller who does not want to be known is not known from a history either. */
const callerAsSeenBy = (side: Side, { parties: { caller } }: SessionFacts): string =>
  side === 'callee' && caller.anonymous ? 'sip:anonymous@anonymous.invalid' : caller.aor

/** All addresses of the other party, so that what was said and what was called are in one folder. */
function otherAsSeenBy(side: Side, facts: SessionFacts): readonly string[] {
  const { caller, callee } = facts.parties
  if (side === 'caller') return callee.subscriber?.identities ?? [callee.aor]
  return caller.anonymous ? [callerAsSeenBy(side, facts)] : (caller.subscriber?.identities ?? [caller.aor])
}

const textOf = (description: SessionDescription): string => writeSdp(description).toString('utf8')

const linesOf = (media: MediaDescription): string =>
  media.attributes.map(({ name, value }) => (value === undefined ? `a=${name}` : `a=${name}:${value}`)).join('\r\n')

const xml = (name: string, elements: readonly string[]): Buffer =>
  Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\r\n<${name}>${elements.join('')}</${name}>`)

const element = (name: string, text: string): string => `<${name}>${escaped(text)}</${name}>`

/** XML has no way to write most control characters. */
const escaped = (text: string): string =>
  text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
