/** Bytes that are not an application/resource-lists+xml document (RFC 4826). */
export class MalformedResourceList extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedResourceList'
  }
}
