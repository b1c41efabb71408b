import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import glue from 'fastify-openapi-glue'
import { nmsLimits } from '../../../protocols/nms/check-structure.ts'
import { parseJson, takeJson } from '../../../protocols/nms/read-json.ts'
import { readXml } from '../../../protocols/nms/read-xml.ts'
import type { RootName, RootValue } from '../../../protocols/nms/structures.ts'
import { type NmsFormat, writeNms } from '../../../protocols/nms/write-nms.ts'
import { BoxUrls } from './box-urls.ts'
import { formatOfAnswer, formatOfType, mediaTypeOf } from './negotiation.ts'
import { nmsDocument } from './nms-document.ts'
import { bugFault, faultOf, NmsFault } from './nms-fault.ts'
import type { NmsAnswer, NmsCall, NmsOperation, NmsOperations } from './nms-operation.ts'

export interface NmsEdgeNeeds {
  /** Who asks, if they may do what needs that scope; else the challenge that is the answer. */
  readonly door: {
    principalOf(sent: Sent, scope: string): Promise<Principal | Challenge>
  }
  /** The canonical form of a user's address. */
  readonly addressOf: (uri: string) => string | undefined
  /** Where clients reach this door; undefined: by the Host that they name. */
  readonly url: string | undefined
  /** Names that the store has. */
  readonly stores: readonly string[]
  /** Milliseconds within which a body has to come that is no upload, or that nobody waits for any more. */
  readonly patience: number
  readonly log: { error(fields: object, message: string): void }
}

interface Sent {
  readonly method: string
  readonly url: string
  readonly address: string
  readonly authorization: string | undefined
}

interface Principal {
  readonly id: number
  readonly identities: readonly string[]
}

interface Challenge {
  readonly status: 401 | 403
  readonly challenges: readonly string[]
}

/** What the edge finds out of a request before its body comes. */
interface Passed {
  readonly principal: Principal
  readonly urls: BoxUrls
  readonly root: string
  readonly format: NmsFormat
}

/**
 * The RESTful Network API for Network Message Storage (OMA REST_NetAPI_NMS 1.0): who asks, whose box it is and in which format
 * the answer goes is known before the body is looked at. What each operation takes is in message-store.openapi.yaml.
 */
export async function registerNms(app: FastifyInstance, needs: NmsEdgeNeeds, operations: NmsOperations): Promise<void> {
  const { specification, scopes } = nmsDocument()
  const edge = new NmsEdge(needs)
  readBodies(app)
  app.setErrorHandler((err, request, reply) => edge.answerError(err, request, reply))
  app.addHook('onRequest', (request) => edge.admit(request, scopeOf(request, scopes)))
  app.addHook('preValidation', requireBody)
  await app.register(glue, {
    specification,
    operationResolver: (operationId) => {
      const operation = Object.hasOwn(operations, operationId) ? operations[operationId] : undefined
      if (operation === undefined) throw new Error(`${operationId} of message-store.openapi.yaml has no handler`)
      return (request, reply) => edge.handle(operation, request, reply)
    },
  })
}

/** Cuts the connection of a request of which the body does not come. */
function hurry(request: IncomingMessage, within: number): void {
  const { headers } = request
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return
  const timer = setTimeout(() => request.socket.destroy(), within)
  for (const over of ['end', 'close']) request.once(over, () => clearTimeout(timer))
}

function whenSent(response: ServerResponse, onSent: (whole: boolean) => void): void {
  if (response.destroyed || response.socket?.destroyed !== false) onSent(false)
  else response.once('close', () => onSent(response.writableFinished))
}

function scopeOf(request: FastifyRequest, scopes: ReadonlyMap<string, string>): string {
  const { operationId = '' } = (request.routeOptions.schema ?? {}) as { operationId?: string }
  const scope = scopes.get(operationId)
  if (scope === undefined) throw new Error(`no scope is known of ${operationId}`)
  return scope
}

/** JSON is parsed for the schema of the document; XML is read by the operation, and an upload as it comes. */
function readBodies(app: FastifyInstance): void {
  const { bytes: bodyLimit } = nmsLimits
  const whole = { parseAs: 'buffer', bodyLimit } as const
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', whole, async (_: FastifyRequest, body: Buffer) => parseJson(body))
  app.addContentTypeParser(['application/xml', 'text/xml'], whole, async (_: FastifyRequest, body: Buffer) => body)
  app.addContentTypeParser('multipart/form-data', async (_: FastifyRequest, payload: unknown) => payload)
}

async function requireBody(request: FastifyRequest): Promise<void> {
  const { method, body } = request
  if (request.routeOptions.schema?.body === undefined || method === 'PUT') return
  if (body === undefined || body === null) throw new NmsFault(400, 'SVC0002', ['body (missing)'])
}

class NmsEdge {
  readonly #needs: NmsEdgeNeeds
  readonly #passed = new WeakMap<FastifyRequest, Passed>()

  constructor(needs: NmsEdgeNeeds) {
    this.#needs = needs
  }

  async admit(request: FastifyRequest, scope: string): Promise<void> {
    if (!isUpload(request.headers)) hurry(request.raw, this.#needs.patience)
    const { method, url, ip: address, headers } = request
    const sent = { method, url, address, authorization: headers.authorization }
    const principal = await this.#needs.door.principalOf(sent, scope)
    if ('challenges' in principal) throw challenged(principal)
    const { storeName, boxId } = request.params as { storeName?: string; boxId: string }
    if (storeName !== undefined && !this.#needs.stores.includes(storeName)) throw unknownPath(request)
    if (!this.#isBoxOf(principal, boxId)) throw new NmsFault(403, 'POL0001', ['not-permitted'])
    const format = formatFor(request)
    if (format === undefined && !isContent(request)) throw new NmsFault(406, 'POL0011')
    const root = this.#needs.url ?? rootOf(request)
    const urls = this.#urlsOf(root, request, principal)
    this.#passed.set(request, { principal, urls, root, format: format ?? 'json' })
  }

  async handle(operation: NmsOperation, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const passed = this.#passed.get(request)
    if (passed === undefined) throw new Error('a request that was not admitted')
    const gone = new AbortController()
    const leave = () => gone.abort()
    request.raw.socket.once('close', leave)
    try {
      const answer = await operation(callOf(request, passed, gone.signal))
      if (answer.onSent !== undefined) whenSent(reply.raw, answer.onSent)
      return send(reply, passed.format, answer)
    } finally {
      request.raw.socket.off('close', leave)
    }
  }

  answerError(err: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const known = faultOf(err, pathOf(request))
    if (known === undefined) {
      const { method } = request
      this.#needs.log.error({ err, method, path: request.routeOptions.url }, 'bug')
    }
    const fault = known ?? bugFault()
    const body = { root: 'requestError', value: fault.requestError } as const
    if (!request.raw.complete) hurry(request.raw, this.#needs.patience)
    send(reply.headers(fault.headers), formatFor(request) ?? 'json', { status: fault.status, body })
  }

  #isBoxOf({ identities }: Principal, boxId: string): boolean {
    if (boxId === 'acr:auth') return true
    const address = this.#needs.addressOf(boxId)
    return address !== undefined && identities.includes(address)
  }

  #urlsOf(root: string, request: FastifyRequest, principal: Principal): BoxUrls {
    const { storeName = this.#needs.stores[0] ?? '', boxId } = request.params as { storeName?: string; boxId: string }
    const box = `${root}/nms/v1/${encodeURIComponent(storeName)}/${encodeURIComponent(boxId)}`
    return new BoxUrls(box, (store, id) => this.#needs.stores.includes(store) && this.#isBoxOf(principal, id))
  }
}

function callOf(request: FastifyRequest, { principal, urls, root, format }: Passed, signal: AbortSignal): NmsCall {
  const { body, method, headers } = request
  const json = formatOfType(headers['content-type']) === 'json'
  return {
    owner: principal.id,
    identities: principal.identities,
    urls,
    root,
    params: request.params as Record<string, string>,
    query: request.query as NmsCall['query'],
    headers,
    method,
    path: pathOf(request),
    format,
    signal,
    hasBody: body !== undefined && body !== null,
    read: <Root extends RootName>(root: Root): RootValue<Root> => {
      if (json) return takeJson(body, root)
      if (Buffer.isBuffer(body)) return readXml(body, root)
      throw new NmsFault(400, 'SVC0002', ['body (missing)'])
    },
    upload: isUpload(headers) ? (body as Readable) : undefined,
  }
}

const isUpload = (headers: IncomingHttpHeaders): boolean =>
  /^multipart\/form-data\s*(;|$)/i.test(headers['content-type'] ?? '')

function send(reply: FastifyReply, format: NmsFormat, { status, headers = {}, body, content }: NmsAnswer) {
  reply.code(status).header('cache-control', 'no-store').header('x-content-type-options', 'nosniff').headers(headers)
  if (body === undefined) return reply.send(content)
  const type = `${mediaTypeOf[format]}; charset=utf-8`
  return reply.type(type).send(Buffer.from(writeNms(format, body.root, body.value as RootValue<typeof body.root>)))
}

function formatFor({ headers, query }: FastifyRequest): NmsFormat | undefined {
  const { resFormat } = (query ?? {}) as { resFormat?: unknown }
  return formatOfAnswer({ accept: headers.accept, contentType: headers['content-type'], resFormat })
}

/** What is stored has a type of its own, and is not negotiated. */
const isContent = ({ routeOptions: { url } }: FastifyRequest): boolean => /\/payload(Parts\/:\w+)?$/.test(url ?? '')

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] as string

const unknownPath = (request: FastifyRequest) => new NmsFault(404, 'SVC0004', [pathOf(request)])

function challenged({ status, challenges }: Challenge): NmsFault {
  const code = status === 401 ? 'unauthenticated' : 'insufficient-scope'
  return new NmsFault(status, 'POL0001', [code], { headers: { 'www-authenticate': [...challenges] } })
}

/** As the client reached it; a Host that is none gives URLs without one. */
function rootOf({ protocol, host }: FastifyRequest): string {
  return /^[\w.-]+(:\d{1,5})?$|^\[[\da-f:.]+\](:\d{1,5})?$/i.test(host) ? `${protocol}://${host}` : ''
}
