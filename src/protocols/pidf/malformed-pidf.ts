/** A presence document that is none (RFC 3863), or one that is not taken. */
export class MalformedPidf extends Error {
  override readonly name = 'MalformedPidf'
}
