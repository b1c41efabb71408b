import type { ApplicationDefined } from '../rtp/rtcp-packet.ts'
import { fields } from './read-talk-burst.ts'
import { acknowledgeBit, type Connect, subtypes, type Taken, type TalkBurst } from './talk-burst.ts'

/** The APP packet of a talk burst control message. */
export function writeTalkBurst(message: TalkBurst): ApplicationDefined {
  const bit = message.type === 'taken' && message.acknowledge ? acknowledgeBit : 0
  return { type: 'APP', subtype: subtypes[message.type] | bit, ssrc: message.ssrc, name: 'PoC1', data: data(message) }
}

function data(message: TalkBurst): Buffer {
  switch (message.type) {
    case 'request':
      return padded(short(fields.priority, message.priority), long(fields.timestamp, message.timestamp))
    case 'granted':
      return padded(short(fields.stopTalking, message.stopTalking), short(fields.participants, message.participants))
    case 'taken':
      return taken(message)
    case 'deny':
      return padded(Buffer.from([message.reason]), text(message.phrase))
    case 'release':
      return shorts(message.lastSequence ?? 0, message.lastSequence === undefined ? 0x8000 : 0)
    case 'revoke':
      return shorts(message.reason, message.retryAfter)
    case 'acknowledgement':
      return shorts((message.of << 11) | message.reason, 0)
    case 'queue-status-response':
      return Buffer.from([message.priority, message.position >> 8, message.position & 0xff, 0])
    case 'connect':
      return connect(message)
    case 'idle':
    case 'disconnect':
    case 'queue-status-request':
      return Buffer.alloc(0)
  }
}

/** The parts, and zeros up to a boundary of 32 bits. */
function padded(...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat(parts, (length + 3) & ~3)
}

const none = Buffer.alloc(0)

const shorts = (one: number, other: number): Buffer => Buffer.from([one >> 8, one & 0xff, other >> 8, other & 0xff])

const short = (code: number, value: number | undefined): Buffer =>
  value === undefined ? none : Buffer.from([code, 2, value >> 8, value & 0xff])

function long(code: number, value: bigint | undefined): Buffer {
  if (value === undefined) return none
  const field = Buffer.from([code, 8, 0, 0, 0, 0, 0, 0, 0, 0])
  field.writeBigUInt64BE(value, 2)
  return field
}

/** Text of at most 255 bytes after its length; a character is not cut in two. */
function text(value: string): Buffer {
  let bytes = Buffer.from(value, 'utf8')
  if (bytes.length > 255) {
    let end = 255
    while (((bytes[end] as number) & 0xc0) === 0x80) end--
    bytes = bytes.subarray(0, end)
  }
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

const [cname, name, note] = [1, 2, 7]
const item = (type: number, value: string): Buffer => Buffer.concat([Buffer.from([type]), text(value)])

function taken({ speaker, uri, name: displayName, participants }: Taken): Buffer {
  const ssrc = Buffer.alloc(4)
  ssrc.writeUInt32BE(speaker)
  const items = padded(ssrc, item(cname, uri), displayName === undefined ? none : item(name, displayName))
  return Buffer.concat([items, short(fields.participants, participants)])
}

/** [bg] The specification names the items; that identities are CNAME, names NAME, and a session NOTE is not sure. */
function connect(message: Connect): Buffer {
  const items: readonly (readonly [type: number, value: string | undefined])[] = [
    [cname, message.inviter],
    [name, message.inviterName],
    [note, message.session],
    [name, message.groupName],
    [cname, message.group],
  ]
  const present = items.reduce((bits, [, value], index) => (value === undefined ? bits : bits | (0x8000 >> index)), 0)
  const head = Buffer.from([present >> 8, present & 0xff, message.sessionType, message.manualAnswer ? 0x80 : 0])
  return padded(head, ...items.map(([type, value]) => (value === undefined ? none : item(type, value))))
}
