import { MalformedSip } from './malformed-sip.ts'

/** The index after the quoted string that begins at `from`; `\` quotes the character after it (RFC 3261 §25.1). */
export function skipQuoted(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34) return at + 1
    if (code === 92) at++
  }
  throw new MalformedSip('a quoted string has no end')
}

/** The text of a quoted string without its quotes and escapes; any other text as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== 34 || text.charCodeAt(text.length - 1) !== 34) return text
  const inside = text.slice(1, -1)
  return inside.includes('\\') ? inside.replace(/\\([\s\S])/g, '$1') : inside
}

/** A quoted string. What must not stand alone in a header field, a line break above all, is escaped or dropped. */
export function quote(text: string): string {
  return `"${text.replace(/[\r\n]/g, ' ').replace(/["\\\x00-\x08\x0b-\x1f\x7f]/g, '\\$&')}"`
}
