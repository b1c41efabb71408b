import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import glue from 'fastify-openapi-glue'
import { Failure } from '../../../failure.ts'
import type { SipRequest } from '../../../protocols/sip/message.ts'

export const waitingDocument = fileURLToPath(
  new URL('../../../../interfaces/rest/waiting.openapi.yaml', import.meta.url),
)

interface Place {
  readonly arrived: number
  readonly id: string
}

interface Entry {
  readonly arrivedAt: number
  readonly expiresAt: number
}

export interface WaitingDoorNeeds {
  readonly door: {
    principalOf(sent: Sent, scope: Scope): Promise<{ readonly id: number } | Challenge>
  }
  readonly waiting: {
    list(owner: number, after: Place | undefined, limit: number): Promise<{ entries: readonly Entry[]; next?: Place }>
    find(owner: number, id: string): Promise<Entry>
    fetch(owner: number, id: string): Promise<SipRequest>
    reject(owner: number, id: string): Promise<void>
    clear(owner: number, id: string): Promise<void>
  }
}

interface Sent {
  readonly method: string
  readonly url: string
  readonly address: string
  readonly authorization: string | undefined
}

interface Challenge {
  readonly status: 401 | 403
  readonly challenges: readonly string[]
}

type Scope = 'oma_rest_nms.read' | 'oma_rest_nms.modify'

/** They change no more than that a message waits no longer. */
const reading: ReadonlySet<string> = new Set(['GET', 'HEAD'])

const operations = ['listWaiting', 'findWaiting', 'fetchWaiting', 'rejectWaiting', 'clearWaiting'] as const

/** Messages that wait for a user, for that user: /waiting, as waiting.openapi.yaml says. */
export function waitingRoutes(needs: WaitingDoorNeeds): (app: FastifyInstance) => Promise<void> {
  const door = new WaitingDoor(needs)
  return async (app) => {
    app.addHook('onRequest', (request, reply) => door.admit(request, reply))
    app.addHook('preValidation', readLimit)
    await app.register(glue, {
      specification: waitingDocument,
      operationResolver: (operationId) => {
        const operation = operations.find((name) => name === operationId)
        if (operation === undefined) throw new Error(`${operationId} of waiting.openapi.yaml has no handler`)
        return (request, reply) => door[operation](request, reply)
      },
    })
  }
}

class WaitingDoor {
  readonly #needs: WaitingDoorNeeds
  readonly #owners = new WeakMap<FastifyRequest, number>()

  constructor(needs: WaitingDoorNeeds) {
    this.#needs = needs
  }

  /** Before anything else of a request is looked at. */
  async admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const { method, url, ip: address } = request
    const scope = reading.has(method) ? 'oma_rest_nms.read' : 'oma_rest_nms.modify'
    const { authorization } = request.headers
    const principal = await this.#needs.door.principalOf({ method, url, address, authorization }, scope)
    reply.header('cache-control', 'no-store')
    if ('challenges' in principal) {
      return reply
        .code(principal.status)
        .header('www-authenticate', [...principal.challenges])
        .send()
    }
    this.#owners.set(request, principal.id)
    return undefined
  }

  async listWaiting(request: FastifyRequest): Promise<object> {
    const { limit, cursor } = request.query as { limit: number; cursor?: string }
    const after = cursor === undefined ? undefined : placeOf(cursor)
    const { entries, next } = await this.#needs.waiting.list(this.#ownerOf(request), after, limit)
    const messages = entries.map(written)
    return next === undefined ? { messages } : { messages, next: cursorOf(next) }
  }

  async findWaiting(request: FastifyRequest): Promise<object> {
    return written(await this.#needs.waiting.find(this.#ownerOf(request), idOf(request)))
  }

  /** As it was sent: what it says of its type is its sender's word, and no browser is to act on it. */
  async fetchWaiting(request: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
    const { headers, body } = await this.#needs.waiting.fetch(this.#ownerOf(request), idOf(request))
    const encoding = headers.get('content-encoding')
    if (encoding !== undefined) reply.header('content-encoding', encoding)
    reply
      .header('content-type', headers.get('content-type') ?? 'text/plain')
      .header('content-disposition', 'attachment')
      .header('x-content-type-options', 'nosniff')
      .header('content-security-policy', "default-src 'none'; sandbox")
    return body
  }

  async rejectWaiting(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await this.#needs.waiting.reject(this.#ownerOf(request), idOf(request))
    reply.code(204)
  }

  async clearWaiting(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await this.#needs.waiting.clear(this.#ownerOf(request), idOf(request))
    reply.code(204)
  }

  #ownerOf(request: FastifyRequest): number {
    const owner = this.#owners.get(request)
    if (owner === undefined) throw new Failure('unauthenticated')
    return owner
  }
}

/** A query carries text; what is no number is left to the schema. */
async function readLimit(request: FastifyRequest): Promise<void> {
  const query = request.query as Record<string, unknown>
  if (typeof query.limit === 'string' && /^\d{1,6}$/.test(query.limit)) query.limit = Number(query.limit)
}

const idOf = (request: FastifyRequest) => (request.params as { id: string }).id

const written = ({ arrivedAt, expiresAt, ...entry }: Entry) => ({
  ...entry,
  arrivedAt: new Date(arrivedAt).toISOString(),
  expiresAt: new Date(expiresAt).toISOString(),
})

const cursorOf = ({ arrived, id }: Place) => Buffer.from(`${arrived} ${id}`).toString('base64url')

/** It leads nowhere but into the list of whoever sends it. */
function placeOf(cursor: string): Place {
  const form = /^(\d{1,16}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/
  const [, arrived, id] = form.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? []
  if (arrived === undefined || id === undefined || !Number.isSafeInteger(Number(arrived)))
    throw new Failure('malformed', 'the cursor is none of this list')
  return { arrived: Number(arrived), id }
}
