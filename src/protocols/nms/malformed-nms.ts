/** A body that is none of the structures of NMS, and the place in it that is wrong: `object.flags.flag[3]`. */
export class MalformedNms extends Error {
  override readonly name = 'MalformedNms'
  readonly where: string
  constructor(where: string, note: string, options?: ErrorOptions) {
    super(`${where}: ${note}`, options)
    this.where = where
  }
}
