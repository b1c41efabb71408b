import { createHash } from 'node:crypto'
import { type Challenge, readChallenge } from '../../support/phone-digest.ts'
import { domain, password } from '../bench-server.ts'
import { type HttpAnswer, HttpConnection } from '../http-connection.ts'
import type { Kind, Proof } from './load.ts'

const entries = 100
const namespace = 'urn:ietf:params:xml:ns:resource-lists'
/** So wide that it is written in place. */
const versionDigits = 9
const noBody = Buffer.alloc(0)

/** A user with a connection, a list of a hundred friends, and one entry of it that changes. */
export class XcapUser {
  readonly #name: string
  readonly #proof: Proof
  readonly #connection: HttpConnection
  readonly #document = listOf(entries)
  readonly #element = Buffer.from(entryOf(50))
  readonly #secondHashes = new Map<string, string>()
  readonly #path: string
  #challenge: Challenge | undefined
  #ha1 = ''
  #version = 0

  static async open(port: number, number: number, proof: Proof): Promise<XcapUser> {
    return new XcapUser(`bob${number}`, proof, await HttpConnection.open(port))
  }

  private constructor(name: string, proof: Proof, connection: HttpConnection) {
    this.#name = name
    this.#proof = proof
    this.#connection = connection
    this.#path = `/xcap/resource-lists/users/sip:${name}@${domain}/index`
  }

  /** One request; undefined where all is well, otherwise what is not. */
  async ask(kind: Kind): Promise<string | undefined> {
    const answer = await this.#ask(kind)
    if (answer.status === 401) {
      this.#challenge = challengeIn(answer)
      return isRight(kind, await this.#ask(kind), this.#document.length)
    }
    return isRight(kind, answer, this.#document.length)
  }

  close(): void {
    this.#connection.close()
  }

  #ask(kind: Kind): Promise<HttpAnswer> {
    switch (kind) {
      case 'get':
        return this.#send('GET', this.#path, noBody, '')
      case 'put':
        return this.#send('PUT', this.#path, this.#newVersion(this.#document), 'application/resource-lists+xml')
      case 'element':
        return this.#send('PUT', `${this.#path}${selector}`, this.#newVersion(this.#element), 'application/xcap-el+xml')
    }
  }

  #send(method: string, path: string, body: Buffer, type: string): Promise<HttpAnswer> {
    const proof =
      this.#proof === 'digest'
        ? this.#credentials(method, path)
        : `X-3GPP-Asserted-Identity: "sip:${this.#name}@${domain}"\r\n`
    const typed = type === '' ? '' : `Content-Type: ${type}\r\n`
    return this.#connection.exchange(`${method} ${path} HTTP/1.1\r\nHost: ${domain}\r\n${proof}${typed}`, body)
  }

  /** A server takes a document that it knows for no change at all: each is another one, of the same length. */
  #newVersion(body: Buffer): Buffer {
    const at = body.indexOf('version ') + 'version '.length
    body.write(String(this.#version++).padStart(versionDigits, '0'), at, 'latin1')
    return body
  }

  /** As RFC 7616 §3.4, with what does not change computed once. */
  #credentials(method: string, uri: string): string {
    const challenge = this.#challenge
    if (challenge === undefined) return ''
    this.#ha1 ||= md5(`${this.#name}:${challenge.realm}:${password}`)
    const nc = (++challenge.count).toString(16).padStart(8, '0')
    const response = md5(`${this.#ha1}:${challenge.nonce}:${nc}:c0ffee:auth:${this.#ha2(method, uri)}`)
    return (
      `Authorization: Digest username="${this.#name}", realm="${challenge.realm}", nonce="${challenge.nonce}", ` +
      `uri="${uri.replaceAll('"', '%22')}", response="${response}", algorithm=MD5, qop=auth, nc=${nc}, cnonce="c0ffee"\r\n`
    )
  }

  #ha2(method: string, uri: string): string {
    const key = `${method}:${uri}`
    const known = this.#secondHashes.get(key) ?? md5(key)
    this.#secondHashes.set(key, known)
    return known
  }
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

/** Both servers know MD5. */
function challengeIn({ head }: HttpAnswer): Challenge {
  const offered = [...head.matchAll(/^www-authenticate: *(.*)$/gim)].map(([, value = '']) => readChallenge(value))
  const challenge = offered.find(({ algorithm }) => algorithm === 'MD5')
  if (challenge === undefined) throw new Error(`no challenge: ${head}`)
  return challenge
}

function isRight(kind: Kind, { status, head, bodyLength }: HttpAnswer, documentLength: number): string | undefined {
  const right = kind === 'get' ? status === 200 && bodyLength === documentLength : status === 200 || status === 201
  return right ? undefined : `${kind}: ${head.slice(0, 300)}`
}

const entryOf = (number: number): string =>
  `<entry uri="sip:friend${number}@${domain}">` +
  `<display-name>Friend ${number}, version ${'0'.repeat(versionDigits)}</display-name></entry>`

function listOf(count: number): Buffer {
  const all = Array.from({ length: count }, (_, at) => `    ${entryOf(at)}\n`)
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="${namespace}">\n  <list name="friends">\n` +
      `${all.join('')}  </list>\n</resource-lists>\n`,
  )
}

const selector = `/~~/resource-lists/list%5b@name=%22friends%22%5d/entry%5b@uri=%22sip:friend50@${domain}%22%5d`
