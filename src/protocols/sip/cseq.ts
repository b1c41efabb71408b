import { isToken, skipSpace } from './characters.ts'
import { MalformedSip } from './malformed-sip.ts'

export interface CSeq {
  readonly number: number
  readonly method: string
}

/** Reads CSeq: a number less than 2^31 and the method (RFC 3261 §8.1.1.5, §20.16). */
export function readCSeq(value: string): CSeq {
  let at = skipSpace(value, 0)
  const from = at
  let number = 0
  for (let code = value.charCodeAt(at); code >= 48 && code <= 57; code = value.charCodeAt(++at)) {
    number = number * 10 + code - 48
  }
  const methodFrom = skipSpace(value, at)
  const method = value.slice(methodFrom).trimEnd()
  if (at === from || methodFrom === at || !isToken(method)) throw new MalformedSip('CSeq is a number and a method')
  if (number >= 2 ** 31) throw new MalformedSip('the number of CSeq is too large')
  return { number, method }
}
