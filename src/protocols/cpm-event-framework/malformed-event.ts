/** Bytes that are no document of the CPM event framework. */
export class MalformedEvent extends Error {
  override readonly name = 'MalformedEvent'
}
