/** Bytes that are not a message/imdn+xml document (RFC 5438). */
export class MalformedImdn extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedImdn'
  }
}
