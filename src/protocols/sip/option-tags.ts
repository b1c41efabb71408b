import type { Headers } from './headers.ts'

/** The tokens of a header field that is a list of them: Require, Supported, Allow and their like, in lower case. */
export function tokensOf(headers: Headers, name: string): string[] {
  if (!headers.has(name)) return []
  return headers
    .all(name)
    .flatMap((value) => value.split(','))
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '')
}

/** Whether a header field that is a list of tokens has `token`, which is in lower case. */
export const hasToken = (headers: Headers, name: string, token: string): boolean =>
  headers.has(name) && tokensOf(headers, name).includes(token)
