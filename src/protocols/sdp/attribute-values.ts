import { readFileSelector } from './file-selector.ts'
import { nonSpace, token } from './grammar.ts'

const mime = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const mediaType = `(?:${mime}/${mime}(?:;${mime}=(?:${mime}|"[^"]*"))*|\\*)`
// Some clients leave a space at the end of the list.
const mediaTypes = new RegExp(`^${mediaType}(?: ${mediaType})* *$`)
const milliseconds = /^\d{1,9}(?:\.\d{1,9})?$/
const date = '"[^"]*"'
const file = `(?:creation|modification|read):${date}`

/** RFC 8866 §6.6; the descriptions of RFC 4475, and so those of some peers, have no clock rate. */
export const rtpmap = new RegExp(`^(\\d{1,3}) (${token})(?:/(\\d{1,9})(?:/(${token}))?)?$`)
/** RFC 8866 §6.15. */
export const fmtp = new RegExp(`^(${token}) (.+)$`, 's')
/** RFC 3605 §2.1. */
export const rtcp = new RegExp(`^(\\d{1,5})(?: (${token}) (${token}) (${nonSpace}))?$`)
/** RFC 8122 §5. */
export const fingerprint = new RegExp(`^(${token}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)$`)
/** RFC 5547 §6. */
export const fileRange = /^(\d{1,15})-(\d{1,15}|\*)$/

/** What the attributes that the server reads may hold. Any other one is nobody's business, and stays as it came. */
const patterns: ReadonlyMap<string, RegExp | ((value: string) => boolean)> = new Map<
  string,
  RegExp | ((value: string) => boolean)
>([
  ['rtpmap', (value) => Number(rtpmap.exec(value)?.[1]) <= 127],
  ['fmtp', fmtp],
  ['ptime', milliseconds],
  ['maxptime', milliseconds],
  ['rtcp', (value) => Number(rtcp.exec(value)?.[1]) <= 65_535],
  ['path', /^msrps?:\/\/\S+(?: msrps?:\/\/\S+)* *$/i],
  ['accept-types', mediaTypes],
  ['accept-wrapped-types', mediaTypes],
  ['max-size', /^\d{1,15}$/],
  ['setup', /^(?:active|passive|actpass|holdconn)$/],
  ['connection', /^(?:new|existing)$/],
  ['fingerprint', fingerprint],
  ['file-selector', (value) => readFileSelector(value) !== undefined],
  ['file-transfer-id', new RegExp(`^${token}$`)],
  ['file-disposition', new RegExp(`^${token}$`)],
  ['file-date', new RegExp(`^${file}(?: ${file})*$`)],
  ['file-icon', new RegExp(`^cid:${nonSpace}$`, 'i')],
  ['file-range', fileRange],
])

/** Attributes that have no value. */
const flags: ReadonlySet<string> = new Set([
  'sendrecv',
  'sendonly',
  'recvonly',
  'inactive',
  'rtcp-mux',
  'rtcp-rsize',
  'msrp-cema',
  'ice-lite',
])

/** What may come once in a section only; two of them would let policy read one and the peer the other. */
const single: ReadonlySet<string> = new Set(['path', 'setup', 'connection', 'max-size', 'file-selector', 'rtcp'])
const directions: ReadonlySet<string> = new Set(['sendrecv', 'sendonly', 'recvonly', 'inactive'])

/** What is wrong with this attribute; undefined when nothing is. */
export function faultOf(name: string, value: string | undefined): string | undefined {
  if (flags.has(name)) return value === undefined ? undefined : `a=${name} has no value`
  const pattern = patterns.get(name)
  if (pattern === undefined) return undefined
  // RFC 5547 §6: a file may be told later by a file-selector that is empty now.
  if (value === undefined) return name === 'file-selector' ? undefined : `a=${name} without a value`
  const fits = typeof pattern === 'function' ? pattern(value) : pattern.test(value)
  return fits ? undefined : `not what a=${name} may hold`
}

/** The name under which an attribute may come once in its section; undefined when it may come often. */
export function onceAs(name: string): string | undefined {
  if (directions.has(name)) return 'direction'
  return single.has(name) ? name : undefined
}
