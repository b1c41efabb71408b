/** A query beyond the forms that are served. */
export class MalformedSearch extends Error {
  override readonly name = 'MalformedSearch'
}
