/** Bytes that are no document of message revocation. */
export class MalformedRevocation extends Error {
  override readonly name = 'MalformedRevocation'
}
