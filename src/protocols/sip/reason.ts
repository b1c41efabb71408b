import type { Headers } from './headers.ts'
import { splitList } from './lists.ts'
import { MalformedSip } from './malformed-sip.ts'
import { readParams } from './params.ts'
import { quote, unquote } from './quoted-string.ts'

/** A value of Reason (RFC 3326). */
export interface Reason {
  /** `SIP`, `Q.850` or another. */
  readonly protocol: string
  readonly cause?: number
  readonly text?: string
}

/** The first Reason of a message. One that cannot be read is none: it only explains. */
export function readReason(headers: Headers): Reason | undefined {
  const value = headers.get('reason')
  if (value === undefined) return undefined
  try {
    return readValue(splitList(value)[0] ?? '')
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}

function readValue(value: string): Reason | undefined {
  const end = value.indexOf(';')
  const protocol = (end === -1 ? value : value.slice(0, end)).trim()
  if (protocol === '') return undefined
  const params = end === -1 ? undefined : readParams(value, end)
  const cause = params?.get('cause')
  const text = params?.get('text')
  return {
    protocol,
    ...(cause !== undefined && /^[0-9]{1,4}$/.test(cause) && { cause: Number(cause) }),
    ...(text !== undefined && { text: unquote(text) }),
  }
}

export function writeReason({ protocol, cause, text }: Reason): string {
  const number = cause === undefined ? '' : `;cause=${cause}`
  return `${protocol}${number}${text === undefined ? '' : `;text=${quote(text)}`}`
}
