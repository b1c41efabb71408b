import { faultOf, onceAs } from './attribute-values.ts'
import { isConnectionAddress, isUnicast, nonSpace, token } from './grammar.ts'
import { Lines } from './lines.ts'
import { MalformedSdp } from './malformed-sdp.ts'
import type {
  Attribute,
  Bandwidth,
  Connection,
  MediaDescription,
  Origin,
  SessionDescription,
  Timing,
} from './session-description.ts'

export interface SdpLimits {
  readonly maxBytes: number
  readonly maxLines: number
  readonly maxMedia: number
}

export const sdpLimits: SdpLimits = { maxBytes: 65_536, maxLines: 2_048, maxMedia: 64 }

const text = /^.+$/s
const originLine = new RegExp(`^(${nonSpace}) (\\d{1,20}) (\\d{1,20}) (${token}) (${token}) (${nonSpace})$`)
const connectionLine = new RegExp(`^(${token}) (${token}) (${nonSpace})$`)
const bandwidthLine = new RegExp(`^(${token}):(\\d{1,15})$`)
const timeLine = /^(0|[1-9]\d{9,19}) (0|[1-9]\d{9,19})$/
const repeatLine = /^[1-9]\d*[dhms]?(?: \d+[dhms]?){2,}$/
const zoneLine = /^(?:0|[1-9]\d{9,}) -?\d+[dhms]?(?: (?:0|[1-9]\d{9,}) -?\d+[dhms]?)*$/
const keyLine = /^(?:prompt|(?:clear|base64|uri):.+)$/s
const attributeLine = new RegExp(`^(${token})(?::(.+))?$`, 's')
const mediaLine = new RegExp(
  `^(${token}) (\\d{1,5})(?:/([1-9]\\d{0,4}))? (${token}(?:/${token})*) (${token}(?: ${token})*)$`,
)

/** Reads a session description by the grammar of RFC 8866 §9. Throws MalformedSdp. A string is latin1 text. */
export function readSdp(description: Buffer | string, limits: SdpLimits = sdpLimits): SessionDescription {
  if (description.length > limits.maxBytes) throw new MalformedSdp(1, '', `more than ${limits.maxBytes} bytes`)
  const all = typeof description === 'string' ? description : description.toString('latin1')
  const lines = new Lines(splitLines(all, limits))
  const session = readSession(lines)
  const media = lines.all('m', mediaLine, (found) => readMedia(found, lines, session.connection !== undefined))
  if (media.length > limits.maxMedia) throw new MalformedSdp(1, '', `more than ${limits.maxMedia} m= lines`)
  if (!lines.isAtEnd) lines.refuse('no line of this type may stand here')
  return { ...session, media }
}

/**
 * RFC 8866 §5 wants a lone LF taken as well. The last line may lack its end, as that of a multipart part often does, and
 * empty lines at the end are left out: test tools write them.
 */
function splitLines(all: string, limits: SdpLimits): string[] {
  const lines = all.split('\n', limits.maxLines + 1)
  for (const [index, line] of lines.entries()) {
    if (line.endsWith('\r')) lines[index] = line.slice(0, -1)
    if (/[\0\r]/.test(lines[index] as string)) throw new MalformedSdp(index + 1, line, 'a NUL or a lone CR')
  }
  while (lines.at(-1) === '') lines.pop()
  if (lines.length > limits.maxLines) throw new MalformedSdp(limits.maxLines + 1, '', 'too many lines')
  return lines
}

function readSession(lines: Lines): SessionDescription {
  lines.one('v', /^0+$/)
  return {
    origin: readOrigin(lines),
    sessionName: lines.one('s', text)[0],
    information: lines.optional('i', text)?.[0],
    uri: lines.optional('u', /^\S+$/)?.[0],
    emails: lines.all('e', text, ([all]) => all),
    phones: lines.all('p', text, ([all]) => all),
    connection: readConnections(lines, true)[0],
    bandwidth: readBandwidth(lines),
    times: readTimes(lines),
    key: lines.optional('k', keyLine)?.[0],
    attributes: readAttributes(lines),
    media: [],
  }
}

function readOrigin(lines: Lines): Origin {
  const [, username = '', sessionId = '', version = '', networkType = '', addressType = '', address = ''] = lines.one(
    'o',
    originLine,
  )
  if (!isUnicast(networkType, addressType, address)) lines.refuseLine(lines.number, 'not an address of its type')
  return { username, sessionId, version, networkType, addressType, address }
}

function readConnections(lines: Lines, single = false): Connection[] {
  const connections = lines.all('c', connectionLine, ([, networkType = '', addressType = '', address = '']) => {
    if (isConnectionAddress(networkType, addressType, address)) return { networkType, addressType, address }
    return lines.refuseLine(lines.number, 'not an address of its type')
  })
  if (single && connections.length > 1) lines.refuseLine(lines.number, 'a second c= for the session')
  return connections
}

function readBandwidth(lines: Lines): Bandwidth[] {
  return lines.all('b', bandwidthLine, ([, type = '', value]) => ({ type, value: Number(value) }))
}

/** 1*time-description (RFC 8866 §5.9 to §5.11). */
function readTimes(lines: Lines): Timing[] {
  const times: Timing[] = []
  for (let found: RegExpExecArray | undefined = lines.one('t', timeLine); found; ) {
    const [, start = '', stop = '']: RegExpExecArray = found
    const repeats = lines.all('r', repeatLine, ([all]) => all)
    times.push({ start, stop, repeats, zone: lines.optional('z', zoneLine)?.[0] })
    found = lines.optional('t', timeLine)
  }
  return times
}

function readAttributes(lines: Lines): Attribute[] {
  const seen = new Set<string>()
  return lines.all('a', attributeLine, ([, name = '', value]) => {
    const fault = faultOf(name, value)
    if (fault !== undefined) lines.refuseLine(lines.number, fault)
    const once = onceAs(name)
    if (once !== undefined && seen.has(once)) lines.refuseLine(lines.number, `a second ${once} in one section`)
    if (once !== undefined) seen.add(once)
    return value === undefined ? { name } : { name, value }
  })
}

function readMedia(found: RegExpExecArray, lines: Lines, connected: boolean): MediaDescription {
  const [, media = '', port, count, protocol = '', formats = ''] = found
  const line = lines.number
  if (Number(port) > 65_535) lines.refuseLine(line, 'a port beyond 65535')
  const information = lines.optional('i', text)?.[0]
  const [connection, ...furtherConnections] = readConnections(lines)
  const described: MediaDescription = {
    media,
    port: Number(port),
    portCount: count === undefined ? undefined : Number(count),
    protocol,
    formats: formats.split(' '),
    information,
    connection,
    furtherConnections: furtherConnections.length > 0 ? furtherConnections : undefined,
    bandwidth: readBandwidth(lines),
    key: lines.optional('k', keyLine)?.[0],
    attributes: readAttributes(lines),
  }
  checkMedia(described, connected, (reason) => lines.refuseLine(line, reason))
  return described
}

/** RFC 8866 §5.7: an address for each; §5.14: payload types are what RTP profiles have as formats. */
function checkMedia(described: MediaDescription, connected: boolean, refuse: (reason: string) => never): void {
  const { port, protocol, formats, connection } = described
  if (!connected && connection === undefined && port !== 0) refuse('no c= for this m= line')
  const isRtp = /(?:^|\/)RTP\//i.test(protocol)
  if (isRtp && !formats.every((format) => /^\d{1,3}$/.test(format) && Number(format) <= 127)) {
    refuse('a format that is no RTP payload type')
  }
}
