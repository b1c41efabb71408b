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
  const lines = given.filter(([name]) => !written.has(name.toLowerCase()))
  if (refreshing.has(method)) lines.push(['Contact', contact(valueIn(given, 'contact', 'm'))])
  if (!telling.has(method)) return [...lines, ...given.filter(([name]) => isSupported(name))]
  lines.push(['Allow', valueIn(given, 'allow') ?? allowed])
  lines.push(['Supported', withOurs(given)])
  return lines
}

const written: ReadonlySet<string> = new Set(['contact', 'm', 'allow', 'supported', 'k'])

const isSupported = (name: string) => name.toLowerCase() === 'supported' || name.toLowerCase() === 'k'

const valueIn = (lines: HeaderLines, ...names: string[]) =>
  lines.find(([name]) => names.includes(name.toLowerCase()))?.[1]

function withOurs(given: HeaderLines): string {
  const tags = given.filter(([name]) => isSupported(name)).flatMap(([, value]) => value.split(','))
  return [...new Set([...supported, ...tags.map((tag) => tag.trim().toLowerCase())])]
    .filter((tag) => tag !== '')
    .join(', ')
}

/** The header fields of a message as lines. */
export const linesOf = (headers: Headers): (readonly [string, string])[] =>
  [...headers.entries()].map(([, name, value]) => [name, value] as const)
