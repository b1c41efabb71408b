import { Agent, request } from 'node:http'
import { logIn } from './access-token.ts'

export interface NmsReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** Of a body in JSON, below its root. */
  readonly body: Body
}

// biome-ignore lint/suspicious/noExplicitAny: what a test reads of a body, it says itself
type Body = any

interface Served {
  readonly http: string
}

/** A client of a user's own mailbox, with a token. */
export class NmsUser {
  readonly #http: string
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: false })
  readonly box: string
  readonly channels: string

  constructor(server: Served, token: string, boxId = 'acr%3Aauth') {
    this.#http = server.http
    this.#token = token
    this.box = `/nms/v1/parley/${boxId}`
    this.channels = `/notificationchannel/v1/${boxId}/channels`
  }

  static async of(server: Served, user: string, scope?: string): Promise<NmsUser> {
    return new NmsUser(server, (await logIn(server, user, scope)).access)
  }

  /** `path` below the box, or a URL that the server gave. */
  json = (method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<NmsReply> =>
    this.send(method, path, body === undefined ? undefined : JSON.stringify(body), 'application/json', signal)

  xml = (method: string, path: string, body?: string): Promise<NmsReply> =>
    this.send(method, path, body, 'application/xml')

  /** An object without payload of its own. Resolves with its URL. */
  async add(
    path: string,
    attributes: Readonly<Record<string, string>>,
    flags: readonly string[] = [],
  ): Promise<string> {
    const attribute = Object.entries(attributes).map(([name, value]) => ({ name, value: [value] }))
    const object = { parentFolderPath: path, attributes: { attribute }, flags: { flag: flags } }
    const made = await this.json('POST', '/objects', { object })
    if (made.status !== 201) throw new Error(`${made.status} ${made.text}`)
    return made.body.resourceURL
  }

  /** URLs of the objects that meet criteria. */
  async find(criterion: unknown, more: Readonly<Record<string, unknown>> = {}, operator?: string): Promise<string[]> {
    const searchCriteria = { criterion: [criterion].flat(), ...(operator !== undefined && { operator }) }
    const found = await this.search('objects', { maxEntries: 100, searchCriteria, ...more })
    if (found.status !== 200) throw new Error(`${found.status} ${found.text}`)
    return (found.body.object ?? []).map(({ resourceURL }: { resourceURL: string }) => resourceURL)
  }

  search = (of: 'objects' | 'folders', selectionCriteria: unknown): Promise<NmsReply> =>
    this.json('POST', `/${of}/operations/search`, { selectionCriteria })

  send(method: string, path: string, body: string | undefined, type: string, signal?: AbortSignal): Promise<NmsReply> {
    const url = path.startsWith('http') ? path : `${this.#http}${path.startsWith('/n') ? '' : this.box}${path}`
    const headers = {
      authorization: `Bearer ${this.#token}`,
      accept: type,
      ...(body !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, agent: this.#agent, ...(signal && { signal }) }, (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString()
          const isJson = /json/.test(response.headers['content-type'] ?? '')
          const parsed: unknown = isJson && text !== '' ? JSON.parse(text) : undefined
          const [root] = typeof parsed === 'object' && parsed !== null ? Object.values(parsed) : []
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: root })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

/** The message id of the fault in an answer. */
export const faultIn = ({ status, body }: NmsReply): string =>
  `${status} ${(body?.serviceException ?? body?.policyException)?.messageId}`
