/** Bytes that are not a message/cpim body (RFC 3862). */
export class MalformedCpim extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedCpim'
  }
}
