/** A text that is no XML document, or one that is not taken. */
export class MalformedXml extends Error {
  override readonly name = 'MalformedXml'
}
