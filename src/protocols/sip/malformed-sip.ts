import type { SipRequest } from './message.ts'

/** Bytes that are not SIP, or a header field that does not follow its grammar. The note is fit for a reason phrase. */
export class MalformedSip extends Error {
  /** The status that fits, should the sender be answered at all (RFC 3261 §21.4, §21.5). */
  readonly status: number
  /** What could be read of a request, when that is enough to answer it: it has a Via. */
  readonly request: SipRequest | undefined
  constructor(note: string, status = 400, request?: SipRequest) {
    super(note)
    this.name = 'MalformedSip'
    this.status = status
    this.request = request
  }
}
