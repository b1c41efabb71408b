/** Not the XML of a file transfer over HTTP. */
export class MalformedRcsFile extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedRcsFile'
  }
}
