/** Bytes that are not MSRP, or a header field that does not follow its grammar. The note is fit for a comment. */
export class MalformedMsrp extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedMsrp'
  }
}
