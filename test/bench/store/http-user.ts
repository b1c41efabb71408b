import { domain, password } from '../bench-server.ts'
import { type HttpAnswer, HttpConnection } from '../http-connection.ts'

const none = Buffer.alloc(0)

/** A user with an access token, on one connection. */
export class HttpUser {
  readonly #connection: HttpConnection
  readonly #fields: string

  /** `user` is the part of the address before the domain. */
  static async open(port: number, user: string): Promise<HttpUser> {
    const connection = await HttpConnection.open(port)
    const form = new URLSearchParams({ grant_type: 'password', username: `sip:${user}@${domain}`, password })
    const head = `POST /oauth/token HTTP/1.1\r\nHost: ${domain}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
    const { status, body } = await connection.exchange(head, Buffer.from(form.toString()))
    if (status !== 200) throw new Error(`no access token: ${status} ${body.toString()}`)
    const { access_token: token } = JSON.parse(body.toString()) as { access_token: string }
    return new HttpUser(connection, `Host: ${domain}\r\nAuthorization: Bearer ${token}\r\n`)
  }

  private constructor(connection: HttpConnection, fields: string) {
    this.#connection = connection
    this.#fields = fields
  }

  post(path: string, contentType: string, body: Buffer, accept = '*/*'): Promise<HttpAnswer> {
    const typed = `Content-Type: ${contentType}\r\nAccept: ${accept}\r\n`
    return this.#connection.exchange(`POST ${path} HTTP/1.1\r\n${this.#fields}${typed}`, body)
  }

  get(path: string): Promise<HttpAnswer> {
    return this.#connection.exchange(`GET ${path} HTTP/1.1\r\n${this.#fields}`, none)
  }

  close(): void {
    this.#connection.close()
  }
}
