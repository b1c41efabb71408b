/** Bytes that are not SIP, or a header field that does not follow its grammar. */
export class MalformedSip extends Error {
  /** The status that fits, should the sender be answered at all (RFC 3261 §21.4, §21.5). */
  readonly status: number
  constructor(note: string, status = 400) {
    super(note)
    this.name = 'MalformedSip'
    this.status = status
  }
}
