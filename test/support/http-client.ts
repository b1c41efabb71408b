import { passwordOf } from './add-users.ts'
import { type Challenge, readChallenge, writeCredentials } from './phone-digest.ts'
import { exchange, type XcapAnswer } from './xcap-client.ts'

export interface AskOptions {
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** A user at any door over HTTP, by digest. */
export class HttpClient {
  readonly #http: string
  readonly #username: string
  readonly #password: string
  #challenge: Challenge | undefined

  constructor(server: { readonly http: string }, user: string, password = passwordOf(user)) {
    this.#http = server.http.startsWith('http') ? server.http : `http://${server.http}`
    this.#username = user
    this.#password = password
  }

  get = (path: string, options: AskOptions = {}): Promise<XcapAnswer> => this.ask('GET', path, options)

  async ask(method: string, path: string, options: AskOptions = {}): Promise<XcapAnswer> {
    const first = await this.#send(method, path, options)
    const offered = [first.headers['www-authenticate'] ?? []].flat().find((one) => one.startsWith('Digest'))
    if (first.status !== 401 || offered === undefined) return first
    this.#challenge = readChallenge(offered)
    return await this.#send(method, path, options)
  }

  #send(method: string, path: string, { body, headers = {} }: AskOptions): Promise<XcapAnswer> {
    const proof = { method, uri: path, username: this.#username, password: this.#password }
    const own = this.#challenge && { authorization: writeCredentials(this.#challenge, proof) }
    return exchange(this.#http, method, path, body, { ...headers, ...own })
  }
}
