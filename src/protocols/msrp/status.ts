import { MalformedMsrp } from './malformed-msrp.ts'

/** What a Status field or a response tells (RFC 4975 §7.1.2, §10). */
export interface Status {
  readonly code: number
  readonly comment: string
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  408: 'Request Timeout',
  413: 'Message Too Large',
  415: 'Media Type Not Supported',
  423: 'Parameter Out Of Bounds',
  481: 'No Such Session',
  501: 'Method Not Understood',
  506: 'Session Already Bound',
}

/** The comment that goes with a status code (RFC 4975 §10). */
export const commentOf = (code: number) => reasons[code] ?? ''

/** The value of a Status field; the namespace is 000. Throws MalformedMsrp. */
export function readStatus(value: string): Status {
  const found = /^(\d{3}) (\d{3})(?: ([^\r\n]*))?$/.exec(value)
  if (found === null) throw new MalformedMsrp('Status is not one')
  if (found[1] !== '000') throw new MalformedMsrp('Status has a namespace that nobody knows')
  return { code: Number(found[2]), comment: found[3] ?? '' }
}

export function writeStatus(code: number, comment = commentOf(code)): string {
  return comment === '' ? `000 ${code}` : `000 ${code} ${comment}`
}
