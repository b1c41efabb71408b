/** A request-URI that is no XCAP URI (RFC 4825 §6). */
export class MalformedXcap extends Error {
  override readonly name = 'MalformedXcap'
}
