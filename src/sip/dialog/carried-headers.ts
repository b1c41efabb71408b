import type { Headers } from '../../protocols/sip/headers.ts'

type HeaderLines = readonly (readonly [name: string, value: string])[]

/** The methods that are served in a dialog. */
export const allowed = 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS, INFO, MESSAGE, REFER, NOTIFY'
/** The option tags that dialogs understand (RFC 3262, RFC 4028, RFC 3891). */
export const supported: readonly string[] = ['100rel', 'timer', 'replaces']

/** Requests that tell the peer where to go on (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.4.1). */
const refreshing: ReadonlySet<string> = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE', 'NOTIFY', 'REFER'])
/** Where peers want to know what else may be sent. */
const telling: ReadonlySet<string> = new Set(['INVITE', 'UPDATE'])

/**
 * What goes out in a message of `method`: what the user gave, with the Contact that leads here, Allow and Supported. Option
 * tags of the user's are kept beside ours.
 */
export function carriedHeaders(
  method: string,
  given: HeaderLines,
  contact: (given: string | undefined) => string,
): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = []
  const tagLines: (readonly [string, string])[] = []
  let ownContact: string | undefined
  let allow: string | undefined
  for (const line of given) {
    const name = line[0].toLowerCase()
    if (name === 'contact' || name === 'm') ownContact ??= line[1]
    else if (name === 'allow') allow ??= line[1]
    else if (name === 'supported' || name === 'k') tagLines.push(line)
    else lines.push(line)
  }
  if (refreshing.has(method)) lines.push(['Contact', contact(ownContact)])
  if (telling.has(method)) lines.push(['Allow', allow ?? allowed], ['Supported', withOurs(tagLines)])
  else lines.push(...tagLines)
  return lines
}

const ours = supported.join(', ')

function withOurs(tagLines: HeaderLines): string {
  if (tagLines.length === 0) return ours
  const tags = tagLines.flatMap(([, value]) => value.split(','))
  return [...new Set([...supported, ...tags.map((tag) => tag.trim().toLowerCase())])]
    .filter((tag) => tag !== '')
    .join(', ')
}

/** The header fields of a message as lines. */
export const linesOf = (headers: Headers): (readonly [string, string])[] =>
  [...headers.entries()].map(([, name, value]) => [name, value] as const)
