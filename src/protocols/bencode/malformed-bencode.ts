/** Bytes that are not bencode. */
export class MalformedBencode extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedBencode'
  }
}
