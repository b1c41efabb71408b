import { MalformedSip } from './malformed-sip.ts'
import { type Params, readParams } from './params.ts'

/** Event (RFC 6665 §8.2.1): the package in lower case, and parameters such as `id`. */
export interface Event {
  readonly package: string
  readonly params: Params
}

const none: Params = new Map()

export function readEvent(value: string): Event {
  const semicolon = value.indexOf(';')
  const name = (semicolon === -1 ? value : value.slice(0, semicolon)).trim().toLowerCase()
  if (!/^[a-z0-9.!%*_+`'~-]+$/.test(name)) throw new MalformedSip('Event names no package')
  return { package: name, params: semicolon === -1 ? none : readParams(value, semicolon) }
}
