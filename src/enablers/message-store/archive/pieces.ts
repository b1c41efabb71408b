/** The same bytes, cut into pieces of `size`; the last one may be shorter. */
export async function* inPieces(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let length = 0
  for await (let bytes of source) {
    while (length + bytes.length >= size) {
      const rest = size - length
      yield Buffer.concat([...held, bytes.subarray(0, rest)])
      bytes = bytes.subarray(rest)
      held = []
      length = 0
    }
    if (bytes.length > 0) held.push(bytes)
    length += bytes.length
  }
  if (length > 0) yield Buffer.concat(held)
}
