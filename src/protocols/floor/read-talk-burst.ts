import type { ApplicationDefined } from '../rtp/rtcp-packet.ts'
import { MalformedFloor } from './malformed-floor.ts'
import {
  acknowledgeBit,
  type Connect,
  subtypes,
  type Taken,
  type TalkBurst,
  type TalkBurstContent,
} from './talk-burst.ts'

export const isTalkBurst = (packet: ApplicationDefined): boolean => packet.name === 'PoC1'

/** Reads talk burst control from an APP packet; undefined for a subtype that is not known. Throws MalformedFloor. */
export function readTalkBurst({ subtype, ssrc, data }: ApplicationDefined): TalkBurst | undefined {
  const content = readContent(subtype, data)
  return content && { ssrc, ...content }
}

function readContent(subtype: number, data: Buffer): TalkBurstContent | undefined {
  switch (subtype) {
    case subtypes.request:
      return readRequest(data)
    case subtypes.granted:
      return readGranted(data)
    case subtypes.taken:
    case subtypes.taken | acknowledgeBit:
      return readTaken(data, (subtype & acknowledgeBit) !== 0)
    case subtypes.deny:
      return { type: 'deny', reason: need(data, 2).readUInt8(0), phrase: text(data, 1) }
    case subtypes.release:
      return { type: 'release', lastSequence: need(data, 4).readUInt8(2) >> 7 ? undefined : data.readUInt16BE(0) }
    case subtypes.idle:
      return { type: 'idle' }
    case subtypes.revoke:
      return { type: 'revoke', reason: need(data, 4).readUInt16BE(0), retryAfter: data.readUInt16BE(2) }
    case subtypes.acknowledgement:
      return { type: 'acknowledgement', of: need(data, 2).readUInt8(0) >> 3, reason: data.readUInt16BE(0) & 0x7ff }
    case subtypes['queue-status-request']:
      return { type: 'queue-status-request' }
    case subtypes['queue-status-response']:
      return { type: 'queue-status-response', priority: need(data, 3).readUInt8(0), position: data.readUInt16BE(1) }
    case subtypes.disconnect:
      return { type: 'disconnect' }
    case subtypes.connect:
      return readConnect(data)
    default:
      return undefined
  }
}

function need(data: Buffer, length: number): Buffer {
  if (data.length < length) throw new MalformedFloor(`${data.length} bytes where ${length} are needed`)
  return data
}

/** Text after its length in one byte. */
function text(data: Buffer, at: number): string {
  const end = at + 1 + need(data, at + 1).readUInt8(at)
  return need(data, end).toString('utf8', at + 1, end)
}

/** Codes of optional fields; each is followed by its length and value. */
export const fields = { participants: 100, stopTalking: 101, priority: 102, timestamp: 103 } as const

/** Optional fields by code, up to the zeros at the end. Of one code the first counts; what is not known is passed over. */
function readFields(data: Buffer, from: number): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = from; at < data.length && data[at] !== 0; ) {
    const end = at + 2 + need(data, at + 2).readUInt8(at + 1)
    const code = data.readUInt8(at)
    if (!found.has(code)) found.set(code, need(data, end).subarray(at + 2, end))
    at = end
  }
  return found
}

/** A field of 16 bits. */
function short(found: ReadonlyMap<number, Buffer>, code: number): number | undefined {
  const value = found.get(code)
  if (value !== undefined && value.length !== 2) throw new MalformedFloor(`field ${code} is not of 2 bytes`)
  return value?.readUInt16BE(0)
}

function readRequest(data: Buffer): TalkBurstContent {
  const found = readFields(data, 0)
  const timestamp = found.get(fields.timestamp)
  if (timestamp !== undefined && timestamp.length !== 8) throw new MalformedFloor('a timestamp not of 8 bytes')
  return { type: 'request', priority: short(found, fields.priority), timestamp: timestamp?.readBigUInt64BE(0) }
}

function readGranted(data: Buffer): TalkBurstContent {
  const found = readFields(data, 0)
  const stopTalking = short(found, fields.stopTalking)
  if (stopTalking === undefined) throw new MalformedFloor('a grant without its stop talking time')
  return { type: 'granted', stopTalking, participants: short(found, fields.participants) }
}

const [cname, name] = [1, 2]

function readTaken(data: Buffer, acknowledge: boolean): Taken {
  const speaker = need(data, 6).readUInt32BE(0)
  if (data[4] !== cname) throw new MalformedFloor('no CNAME of who speaks')
  const uri = text(data, 5)
  const uriEnd = 6 + (data[5] as number)
  const named = data[uriEnd] === name
  const itemsEnd = named ? uriEnd + 2 + need(data, uriEnd + 2).readUInt8(uriEnd + 1) : uriEnd
  const displayName = named ? text(data, uriEnd + 1) : undefined
  // The fields begin on a boundary of 32 bits after the items.
  const participants = short(readFields(data, (itemsEnd + 3) & ~3), fields.participants)
  return { type: 'taken', speaker, uri, name: displayName, participants, acknowledge }
}

/** Which items a connect has, from the highest bit on. */
const connectItems = ['inviter', 'inviterName', 'session', 'groupName', 'group'] as const

function readConnect(data: Buffer): Connect {
  const present = need(data, 4).readUInt16BE(0)
  const items: Partial<Record<(typeof connectItems)[number], string>> = {}
  let at = 4
  for (const [index, item] of connectItems.entries()) {
    if ((present & (0x8000 >> index)) === 0) continue
    items[item] = text(data, at + 1)
    at += 2 + data.readUInt8(at + 1)
  }
  return { type: 'connect', sessionType: data.readUInt8(2), manualAnswer: data.readUInt8(3) >> 7 === 1, ...items }
}
