import { request } from 'node:http'
import { readNms } from '../../src/protocols/nms/read-nms.ts'
import type { RootName, RootValue, Structure } from '../../src/protocols/nms/structures.ts'
import { type NmsFormat, writeNms } from '../../src/protocols/nms/write-nms.ts'
import { logIn } from './access-token.ts'

export const formats: readonly NmsFormat[] = ['json', 'xml']
const typeOf = { json: 'application/json', xml: 'application/xml' } as const

export interface NmsAsk {
  readonly format?: NmsFormat
  readonly body?: string | Buffer
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What came back; `read` takes it for the structure with that root. */
export class NmsReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  constructor(status: number, headers: NmsReply['headers'], bytes: Buffer) {
    this.status = status
    this.headers = headers
    this.bytes = bytes
  }

  get text(): string {
    return this.bytes.toString()
  }

  get type(): string {
    return `${this.headers['content-type'] ?? ''}`
  }

  get location(): string {
    return `${this.headers.location ?? ''}`
  }

  read<Root extends RootName>(root: Root): RootValue<Root> {
    const format = this.type.startsWith('application/xml') ? 'xml' : 'json'
    return readNms(format, root, this.bytes)
  }

  /** The exception that it holds. */
  get fault(): { messageId: string; variables: readonly string[] } {
    const { serviceException, policyException } = this.read('requestError')
    const { messageId, variables = [] } = (serviceException ?? policyException) as Structure<'ServiceException'>
    return { messageId, variables }
  }
}

/** A client of the message store over REST. */
export class NmsClient {
  readonly http: string
  readonly #token: string
  /** `/nms/v1/parley/acr%3Aauth` */
  readonly box: string

  constructor(http: string, token: string, box: string) {
    this.http = http
    this.#token = token
    this.box = box
  }

  static async open(
    server: { readonly http: string },
    user: string,
    { scope, box = '/nms/v1/parley/acr%3Aauth' }: { scope?: string; box?: string } = {},
  ): Promise<NmsClient> {
    return new NmsClient(server.http, (await logIn(server, user, scope)).access, box)
  }

  /** Paths are below the box; URLs are taken as they are. */
  async ask(
    method: string,
    path: string,
    { format = 'json', body, type, headers = {} }: NmsAsk = {},
  ): Promise<NmsReply> {
    const { hostname, port, pathname, search } = new URL(
      path.startsWith('http') ? path : `${this.http}${this.box}${path}`,
    )
    const sent = {
      accept: typeOf[format],
      authorization: `Bearer ${this.#token}`,
      ...(body !== undefined && {
        'content-type': type ?? typeOf[format],
        'content-length': `${Buffer.byteLength(body)}`,
      }),
      ...headers,
    }
    return await new Promise((resolve, reject) => {
      const asked = request({ hostname, port, method, path: `${pathname}${search}`, headers: sent }, (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () =>
          resolve(new NmsReply(response.statusCode ?? 0, response.headers, Buffer.concat(pieces))),
        )
      })
      asked.on('error', reject)
      asked.end(body)
    })
  }

  get = (path: string, options: NmsAsk = {}) => this.ask('GET', path, options)
  delete = (path: string, options: NmsAsk = {}) => this.ask('DELETE', path, options)

  /** A body that is one of the structures. */
  send<Root extends RootName>(method: string, path: string, root: Root, value: RootValue<Root>, options: NmsAsk = {}) {
    return this.ask(method, path, { ...options, body: writeNms(options.format ?? 'json', root, value) })
  }

  /** Creates an object with a payload. */
  upload(object: Structure<'Object'>, attachments: readonly Entry[], options: NmsAsk = {}): Promise<NmsReply> {
    const { format = 'json' } = options
    const body = multipart([rootFields(writeNms(format, 'object', object), format), ...attachments], 'outer')
    return this.ask('POST', '/objects', { ...options, body, type: formType })
  }

  /** Creates objects, each with a payload or an entry that is empty. */
  uploadMany(list: Structure<'ObjectList'>, attachments: readonly Entry[], options: NmsAsk = {}): Promise<NmsReply> {
    const { format = 'json' } = options
    const body = multipart([rootFields(writeNms(format, 'objectList', list), format), ...attachments], 'outer')
    return this.ask('POST', '/objects/operations/bulkCreation', { ...options, body, type: formType })
  }
}

export const formType = 'multipart/form-data; boundary="outer"'

export const rootFields = (body: string, format: NmsFormat = 'json'): Entry => ({
  headers: { 'Content-Type': typeOf[format], 'Content-Disposition': 'form-data; name="root-fields"' },
  body,
})

export interface Entry {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

export function multipart(entries: readonly Entry[], boundary: string): Buffer {
  const pieces = entries.flatMap(({ headers, body }) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    return [Buffer.from(`--${boundary}\r\n${lines.join('')}\r\n`), Buffer.from(body), Buffer.from('\r\n')]
  })
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)])
}

/** The entry of a form that holds a payload. */
export const attachments = (
  type: string | undefined,
  body: string | Buffer,
  more: Record<string, string> = {},
): Entry => ({
  headers: {
    ...(type !== undefined && { 'Content-Type': type }),
    'Content-Disposition': 'form-data; name="attachments"',
    ...more,
  },
  body,
})

/** An object as clients ask for it. */
export const newObject = (
  attributes: Readonly<Record<string, string | readonly string[]>> = {},
  more: Partial<Structure<'Object'>> = {},
): Structure<'Object'> => ({
  attributes: { attribute: Object.entries(attributes).map(([name, value]) => ({ name, value: [value].flat() })) },
  flags: { flag: [] },
  ...more,
})

/** The values of an attribute. */
export const attribute = ({ attributes }: Pick<Structure<'Object'>, 'attributes'>, name: string): readonly string[] =>
  attributes.attribute?.find((one) => one.name === name)?.value ?? []
