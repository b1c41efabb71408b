import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../../failure.ts'
import { type Contact, tagOf } from './contact.ts'
import type { ContactList, Principal } from './contact-list.ts'

interface Challenge {
  readonly status: 401 | 403
  readonly challenges: readonly string[]
}

interface Sent {
  readonly method: string
  readonly url: string
  readonly address: string
  readonly authorization: string | undefined
}

interface Needs {
  readonly contacts: ContactList
  /** Who sends it, by digest or with an access token. */
  readonly principalOf: (sent: Sent) => Promise<Principal | Challenge>
  /** Whose address it is. */
  readonly userOf: (address: string) => Principal | undefined | Promise<Principal | undefined>
}

interface Params {
  readonly user: string
  readonly uri: string
}

const usualPage = 100
const longestPage = 500
const maxBytes = 16_384
const uriForm = /^[a-z][a-z0-9+.-]{1,15}:[^\s"'<>&\x00-\x20\x7f]{1,400}$/i

const bodySchema = {
  type: ['object', 'null'],
  properties: { displayName: { type: 'string', maxLength: 1024, pattern: '^[^\\u0000-\\u001f\\ufffe\\uffff]*$' } },
  additionalProperties: false,
} as const

/** The contact list of a user in JSON; XCAP has the same as XML. */
export function contactRoutes({ contacts, principalOf, userOf }: Needs): (app: FastifyInstance) => Promise<void> {
  /** Another user's list is refused, and that of nobody in the same way. */
  async function ownerOf(request: FastifyRequest, reply: FastifyReply): Promise<Principal | undefined> {
    const { method, url, ip, headers } = request
    const principal = await principalOf({ method, url, address: ip, authorization: headers.authorization })
    if ('challenges' in principal) {
      reply.code(principal.status).header('www-authenticate', [...principal.challenges])
      return undefined
    }
    const { user } = request.params as Params
    if (user === 'acr:auth' || (await userOf(user))?.id === principal.id) return principal
    throw new Failure('forbidden')
  }

  const answered =
    (handle: (user: Principal, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const user = await ownerOf(request, reply)
      return user === undefined ? reply.send() : await handle(user, request, reply)
    }

  async function shown(user: Principal, contact: Contact, path: string): Promise<ShownContact> {
    const avatar = await contacts.avatar(user, contact.uri)
    return {
      uri: contact.uri,
      ...(contact.displayName !== undefined && { displayName: contact.displayName }),
      ...(avatar && { avatar: `${path}/${encodeURIComponent(contact.uri)}/avatar` }),
    }
  }

  const list = answered(async (user, request, reply) => {
    const { page, cursor } = pageOf(await contacts.all(user), queryOf(request))
    const path = pathOf(request, 2)
    const body = { contacts: await Promise.all(page.map((contact) => shown(user, contact, path))), ...cursor }
    return sendTagged(request, reply, JSON.stringify(body))
  })

  const get = answered(async (user, request, reply) => {
    const contact = await contacts.find(user, uriIn(request))
    if (contact === undefined) throw new Failure('not-found')
    const body = await shown(user, contact, pathOf(request, 2))
    return reply.header('etag', contact.etag).send(body)
  })

  const put = answered(async (user, request, reply) => {
    const { displayName } = (request.body ?? {}) as { displayName?: string }
    const status = await contacts.put(user, uriIn(request), displayName, conditionsOf(request))
    return reply.code(status === 200 ? 204 : status).send()
  })

  const remove = answered(async (user, request, reply) => {
    const status = await contacts.remove(user, uriIn(request), conditionsOf(request))
    if (status === 404) throw new Failure('not-found')
    return reply.code(status === 200 ? 204 : status).send()
  })

  const avatar = answered(async (user, request, reply) => {
    const uri = uriIn(request)
    const found = (await contacts.find(user, uri)) && (await contacts.avatar(user, uri))
    if (found === undefined) throw new Failure('not-found')
    reply.headers({ ...harmless, etag: found.etag })
    if (request.headers['if-none-match'] === found.etag) return reply.code(304).send()
    return reply.type(found.contentType).send(found.bytes)
  })

  return async (app) => {
    const one = '/contacts/:user/:uri'
    app.get('/contacts/:user', list)
    app.get(one, get)
    app.put(one, { bodyLimit: maxBytes, schema: { body: bodySchema } }, put)
    app.delete(one, remove)
    app.get(`${one}/avatar`, avatar)
  }
}

interface ShownContact {
  readonly uri: string
  readonly displayName?: string
  readonly avatar?: string
}

const harmless = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
  'cache-control': 'private',
}

function uriIn({ params }: FastifyRequest): string {
  const { uri } = params as Params
  if (!uriForm.test(uri)) throw new Failure('malformed', 'a contact is named by the URI of its address')
  return uri
}

/** The first segments of the path, as they came. */
const pathOf = ({ url }: FastifyRequest, segments: number) =>
  (url.split('?', 1)[0] as string).split('/', segments + 1).join('/')

const queryOf = ({ url }: FastifyRequest) => new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '')

/** A cursor names the last contact of the page before. */
function pageOf(all: readonly Contact[], query: URLSearchParams) {
  const limit = Number(query.get('limit') ?? usualPage)
  if (!Number.isInteger(limit) || limit < 1 || limit > longestPage) {
    throw new Failure('malformed', `limit is 1 to ${longestPage}`)
  }
  const after = query.get('cursor')
  const last = after === null ? -1 : all.findIndex(({ uri }) => uri === Buffer.from(after, 'base64url').toString())
  if (after !== null && last === -1) throw new Failure('conflict', 'the list has changed there: begin at its start')
  const page = all.slice(last + 1, last + 1 + limit)
  const more = last + 1 + limit < all.length
  return { page, cursor: more && { cursor: Buffer.from(page.at(-1)?.uri ?? '').toString('base64url') } }
}

const conditionsOf = ({ headers }: FastifyRequest) => ({
  ifMatch: headers['if-match'],
  ifNoneMatch: headers['if-none-match'],
})

function sendTagged({ headers }: FastifyRequest, reply: FastifyReply, body: string): FastifyReply {
  const etag = tagOf(body)
  reply.header('etag', etag)
  if (headers['if-none-match'] === etag) return reply.code(304).send()
  return reply.type('application/json; charset=utf-8').send(body)
}
