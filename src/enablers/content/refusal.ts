/** A request that is not answered as it was meant, with the status that the client is told. */
export class Refusal extends Error {
  readonly status: number
  readonly title: string
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, title: string, detail = '', headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.title = title
    this.headers = headers
  }
}

export const tooLarge = () => new Refusal(413, 'Too large', 'the file is too large')
export const full = () => new Refusal(507, 'No room left', 'the files of this user take all the room there is for them')
export const overtaken = () =>
  new Refusal(409, 'Conflict', 'another request goes on with this upload, or it was removed')
