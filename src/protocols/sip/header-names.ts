/** Header field names: compact forms (RFC 3261 §7.3.3 and the registry of RFC 3968) and case are folded away here, once. */

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

/** Spellings seen before, to spare the lower-casing. Bounded: a stranger may invent as many names as they like. */
const seen = new Map<string, string>()
const mostSeen = 1024

/** The canonical name of a header field: long form, lower case. */
export function canonicalName(written: string): string {
  const known = seen.get(written)
  if (known !== undefined) return known
  const lower = written.toLowerCase()
  const name = compactForms[lower] ?? lower
  // A copy: `written` may be a slice that would keep a whole message alive.
  if (seen.size < mostSeen && written.length < 64) seen.set(Buffer.from(written, 'latin1').toString('latin1'), name)
  return name
}
