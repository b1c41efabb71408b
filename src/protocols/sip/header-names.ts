/** Header field names: compact forms (RFC 3261 §7.3.3, registry of RFC 3968) and case are folded away here, once. */

const compactForms: Readonly<Record<string, string>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
}

/** Spellings seen before, to spare the lower-casing. Bounded: a stranger may invent any number. */
const seen = new Map<string, string>()
const mostSeen = 1024

/** The canonical name of a header field: long form, lower case. */
export function canonicalName(written: string): string {
  return seen.get(written) ?? fold(written)
}

function fold(written: string): string {
  const lower = written.toLowerCase()
  const name = Object.hasOwn(compactForms, lower) ? (compactForms[lower] as string) : lower
  // A copy: `written` may be a slice that would keep a whole message alive.
  if (seen.size < mostSeen && written.length < 64) {
    const copy = Buffer.from(written, 'latin1').toString('latin1')
    seen.set(copy, name === lower ? copy.toLowerCase() : name)
  }
  return name
}

/** How many spellings are kept; for the test that shows that it has an end. */
export const seenNames = (): number => seen.size
