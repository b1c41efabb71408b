import { Headers } from './headers.ts'
import { noBody, type SipRequest, SipResponse } from './message.ts'

export interface ResponseOptions {
  readonly reason?: string
  /** Added to To where it has no tag yet. */
  readonly toTag?: string
  readonly headers?: Iterable<readonly [name: string, value: string]>
  readonly body?: Buffer
}

/** A response with what must come from the request: Via, From, To, Call-ID, CSeq (RFC 3261 §8.2.6.2). */
export function responseTo(request: SipRequest, status: number, options: ResponseOptions = {}): SipResponse {
  const headers = new Headers()
  for (const via of request.headers.all('via')) headers.add('Via', via)
  copy('From', 'from', request.headers, headers)
  const to = request.headers.get('to')
  if (to !== undefined) headers.add('To', withTag(to, status === 100 ? undefined : options.toTag))
  copy('Call-ID', 'call-id', request.headers, headers)
  copy('CSeq', 'cseq', request.headers, headers)
  if (status === 100) copy('Timestamp', 'timestamp', request.headers, headers)
  if (options.headers) for (const [name, value] of options.headers) headers.add(name, value)
  return new SipResponse(status, options.reason ?? reasonOf(status), headers, options.body ?? noBody)
}

function copy(written: string, name: string, from: Headers, to: Headers): void {
  const value = from.get(name)
  if (value !== undefined) to.add(written, value)
}

const tagged = /;[ \t]*tag[ \t]*=/i

function withTag(to: string, tag: string | undefined): string {
  if (tag === undefined || tagged.test(to.slice(to.lastIndexOf('>') + 1))) return to
  return `${to};tag=${tag}`
}

/** The reason phrase that the RFCs name for a status. */
export const reasonOf = (status: number): string =>
  reasons[status] ?? reasons[Math.floor(status / 100) * 100] ?? 'Unknown'

const reasons: Readonly<Record<number, string>> = {
  100: 'Trying',
  180: 'Ringing',
  181: 'Call Is Being Forwarded',
  182: 'Queued',
  183: 'Session Progress',
  199: 'Early Dialog Terminated',
  200: 'OK',
  202: 'Accepted',
  204: 'No Notification',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  305: 'Use Proxy',
  380: 'Alternative Service',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  410: 'Gone',
  412: 'Conditional Request Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Unsupported URI Scheme',
  417: 'Unknown Resource-Priority',
  420: 'Bad Extension',
  421: 'Extension Required',
  422: 'Session Interval Too Small',
  423: 'Interval Too Brief',
  424: 'Bad Location Information',
  428: 'Use Identity Header',
  429: 'Provide Referrer Identity',
  430: 'Flow Failed',
  433: 'Anonymity Disallowed',
  436: 'Bad Identity-Info',
  437: 'Unsupported Certificate',
  438: 'Invalid Identity Header',
  439: 'First Hop Lacks Outbound Support',
  440: 'Max-Breadth Exceeded',
  469: 'Bad Info Package',
  470: 'Consent Needed',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  484: 'Address Incomplete',
  485: 'Ambiguous',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  489: 'Bad Event',
  491: 'Request Pending',
  493: 'Undecipherable',
  494: 'Security Agreement Required',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Server Time-out',
  505: 'Version Not Supported',
  513: 'Message Too Large',
  580: 'Precondition Failure',
  600: 'Busy Everywhere',
  603: 'Decline',
  604: 'Does Not Exist Anywhere',
  606: 'Not Acceptable',
  607: 'Unwanted',
  608: 'Rejected',
}
