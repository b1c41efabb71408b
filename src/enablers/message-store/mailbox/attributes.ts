import { toUSVString } from 'node:util'
import { Failure } from '../../../failure.ts'
import type { Attributes } from './stored-object.ts'

const names = [
  ...['Date', 'Message-Context', 'Direction', 'From', 'To', 'Cc', 'Bcc', 'Subject', 'TextContent', 'Content-Type'],
  ...['Content-Location', 'Conversation-ID', 'Contribution-ID', 'InReplyTo-Contribution-ID', 'IMDN-Message-ID'],
  ...['P-Asserted-Service', 'Message-Correlator', 'File-Name', 'File-Size', 'File-Type', 'File-URL'],
]
const written = new Map(names.map((name) => [name.toLowerCase(), name]))

const mostAttributes = 100
const mostValues = 200
const longest = 65_536

/** Names are compared without regard to case: those that are known are written as the specifications do. */
export const canonicalName = (name: string): string => written.get(name.toLowerCase()) ?? name

/** Attributes as they are stored. Throws `malformed` beyond what one object may have. */
export function storedAttributes(attributes: Attributes): Record<string, readonly string[]> {
  const stored: Record<string, string[]> = {}
  const given = Object.entries(attributes)
  if (given.length > mostAttributes) throw new Failure('malformed', 'too many attributes')
  let [count, length] = [0, 0]
  for (const [name, values] of given) {
    if (name === '' || name.length > 256 || name === '__proto__')
      throw new Failure('malformed', 'not a name of an attribute')
    for (const value of values) length += value.length
    count += values.length
    stored[clean(canonicalName(name))] = values.map(clean)
  }
  if (count > mostValues || length > longest) throw new Failure('malformed', 'too many values of attributes')
  return stored
}

/** No database takes a character of value zero in a text, nor half of one in JSON. */
export const clean = (text: string): string => toUSVString(text.replaceAll('\0', ''))
