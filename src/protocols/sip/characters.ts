/** The character classes of RFC 3261 §25.1 that more than one reader needs. */

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

function classOf(members: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const member of members) table[member.charCodeAt(0)] = 1
  return table
}

/** `token`. Code units beyond latin1 fall outside of the table and so are none. */
export const tokenChars: Uint8Array = classOf(`${alphanumeric}-.!%*_+\`'~`)
/** What may follow `=` unquoted: a token, a host with port, an IPv6 reference. */
export const valueChars: Uint8Array = classOf(`${alphanumeric}-.!%*_+\`'~[]:/@?&$#|{}^`)

export const isToken = (text: string): boolean => text.length > 0 && skipWhile(text, 0, tokenChars) === text.length

/** The index after the run of `members` that begins at `from`. */
export function skipWhile(text: string, from: number, members: Uint8Array): number {
  let at = from
  while (at < text.length && members[text.charCodeAt(at)] === 1) at++
  return at
}

/** The index after white space (a fold has become a space long before). */
export function skipSpace(text: string, from: number): number {
  let at = from
  for (let code = text.charCodeAt(at); code === 32 || code === 9; code = text.charCodeAt(at)) at++
  return at
}
