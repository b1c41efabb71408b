import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AccessPoint, Challenged } from './access-point.ts'
import type { XcapReply, XcapRequest, XcapServer } from './xcap-server.ts'

/** The longest document. */
const maxBytes = 1_048_576
const methods = ['GET', 'PUT', 'DELETE'] as const
const root = '/xcap'

interface DoorNeeds {
  readonly access: Pick<AccessPoint, 'principalOf'>
  readonly server: Pick<XcapServer, 'handle'>
  readonly search: { handle(request: Omit<XcapRequest, 'method'>): Promise<XcapReply> }
}

/** XCAP over HTTP: who asks is found out before anything else of a request is looked at. */
export function xcapRoutes({ access, server, search }: DoorNeeds): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) =>
      done(null, body),
    )
    const answeredBy =
      (handle: (request: XcapRequest) => Promise<XcapReply>) =>
      async (request: FastifyRequest, reply: FastifyReply) => {
        const principal = await access.principalOf(sentIn(request))
        if ('challenges' in principal) return challenge(reply, principal)
        const { status, headers, body } = await handle({ ...asked(request), principal })
        return reply.code(status).headers(headers).send(body)
      }
    const options = { url: `${root}/*`, bodyLimit: maxBytes }
    app.route({ ...options, method: [...methods], handler: answeredBy((request) => server.handle(request)) })
    const handler = answeredBy((request) => search.handle(request))
    app.route({ ...options, method: 'POST', url: `${root}/org.openmobilealliance.search/*`, handler })
  }
}

/** A challenge for each algorithm (RFC 7616 §3.7). */
function challenge(reply: FastifyReply, { status, challenges }: Challenged): FastifyReply {
  return reply
    .code(status)
    .header('www-authenticate', [...challenges])
    .send()
}

const sentIn = ({ method, url, ip, headers }: FastifyRequest) => ({
  method,
  url,
  address: ip,
  authorization: headers.authorization,
  asserted: textOf(headers['x-3gpp-asserted-identity']) ?? textOf(headers['x-xcap-asserted-identity']),
})

function asked({ method, raw, headers, body }: FastifyRequest): Omit<XcapRequest, 'principal'> {
  return {
    method: method as XcapRequest['method'],
    target: (raw.url ?? '').slice(root.length),
    contentType: headers['content-type'],
    ifMatch: headers['if-match'],
    ifNoneMatch: headers['if-none-match'],
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
  }
}

const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(',') : value
