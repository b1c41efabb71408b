import { request } from 'node:http'
import { passwordOf } from './add-users.ts'
import { type Challenge, readChallenge, writeCredentials } from './phone-digest.ts'

export interface XcapAnswer {
  readonly status: number
  readonly etag: string | undefined
  readonly type: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export interface XcapOptions {
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** An XDM client: HTTP with digest, one request after another or many at once. Targets are paths below the XCAP root. */
export class XcapClient {
  readonly #http: string
  readonly #username: string
  readonly #password: string
  #challenge: Challenge | undefined

  constructor(server: { readonly http: string }, user: string, password = passwordOf(user)) {
    this.#http = server.http
    this.#username = user
    this.#password = password
  }

  get = (target: string, options: XcapOptions = {}) => this.#ask('GET', target, undefined, options)
  head = (target: string, options: XcapOptions = {}) => this.#ask('HEAD', target, undefined, options)
  delete = (target: string, options: XcapOptions = {}) => this.#ask('DELETE', target, undefined, options)
  put = (target: string, body: string | Buffer, type: string, options: XcapOptions = {}) =>
    this.#ask('PUT', target, body, { ...options, type })
  post = (target: string, body: string | Buffer, type: string) => this.#ask('POST', target, body, { type })
  putElement = (target: string, body: string, options: XcapOptions = {}) =>
    this.put(target, body, 'application/xcap-el+xml', options)
  putAttribute = (target: string, body: string) => this.put(target, body, 'application/xcap-att+xml')

  async #ask(method: string, target: string, body: string | Buffer | undefined, options: XcapOptions) {
    const first = await this.#send(method, target, body, options, this.#challenge)
    if (first.status !== 401) return first
    const offered = [first.headers['www-authenticate'] ?? []].flat()
    const last = offered.at(-1)
    if (last === undefined) return first
    this.#challenge = readChallenge(last)
    return await this.#send(method, target, body, options, this.#challenge)
  }

  #send(
    method: string,
    target: string,
    body: string | Buffer | undefined,
    { type, headers = {} }: XcapOptions,
    challenge: Challenge | undefined,
  ): Promise<XcapAnswer> {
    const path = `/xcap${target}`
    const proof = { method, uri: path, username: this.#username, password: this.#password }
    return exchange(`${this.#http}`, method, path, body, {
      ...headers,
      ...(type !== undefined && { 'content-type': type }),
      ...(challenge && { authorization: writeCredentials(challenge, proof) }),
    })
  }
}

/** One HTTP request, its path as it is: `fetch` would normalise it. */
export function exchange(
  base: string,
  method: string,
  path: string,
  body: string | Buffer | undefined,
  headers: Readonly<Record<string, string>>,
): Promise<XcapAnswer> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const sent = request({ hostname, port, method, path, headers: { ...headers, ...length } }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          etag: response.headers.etag,
          type: response.headers['content-type'],
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
