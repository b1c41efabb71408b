/** Bytes that are not the MIME entity which their Content-Type announces. */
export class MalformedMime extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedMime'
  }
}
