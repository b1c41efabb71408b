import { skipSpace, skipWhile, tokenChars, valueChars } from './characters.ts'
import { MalformedSip } from './malformed-sip.ts'
import { skipQuoted } from './quoted-string.ts'

/**
 * Parameters by lower-case name, in order. A value is as written, a quoted one with its quotes (`unquote` takes them
 * off), so that it can be written back; a parameter without `=` has none.
 */
export type Params = ReadonlyMap<string, string | undefined>

export const noParams: Params = new Map()

/** Reads `*( SEMI generic-param )` from `from` to the end (RFC 3261 §25.1). Of one name the first value stays. */
export function readParams(text: string, from = 0): Params {
  let at = skipSpace(text, from)
  if (at === text.length) return noParams
  const params = new Map<string, string | undefined>()
  while (at < text.length) {
    if (text.charCodeAt(at) !== 59) throw new MalformedSip('a parameter begins with a semicolon')
    at = readParam(text, skipSpace(text, at + 1), params)
  }
  return params
}

/** Reads one parameter into `params`; returns the index of what follows it. */
function readParam(text: string, from: number, params: Map<string, string | undefined>): number {
  const nameEnd = skipWhile(text, from, tokenChars)
  if (nameEnd === from) throw new MalformedSip('a parameter without a name')
  const name = text.slice(from, nameEnd).toLowerCase()
  let at = skipSpace(text, nameEnd)
  let value: string | undefined
  if (text.charCodeAt(at) === 61) {
    const start = skipSpace(text, at + 1)
    const end = text.charCodeAt(start) === 34 ? skipQuoted(text, start) : skipWhile(text, start, valueChars)
    if (end === start) throw new MalformedSip('a parameter without a value after its =')
    value = text.slice(start, end)
    at = skipSpace(text, end)
  }
  if (!params.has(name)) params.set(name, value)
  return at
}

export function writeParams(params: Params): string {
  let text = ''
  for (const [name, value] of params) text += value === undefined ? `;${name}` : `;${name}=${value}`
  return text
}
