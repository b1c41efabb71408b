import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ConfigurationFault } from '../failure.ts'
import type { Log } from './logging.ts'
import { HttpProblem, problemOf, problemType } from './problem.ts'

export interface HttpOptions {
  readonly listen: { readonly address: string; readonly port: number }
  readonly limits?: Partial<HttpLimits>
  readonly log: Log
}

interface HttpLimits {
  readonly bodyBytes: number
  readonly connections: number
  /** Milliseconds for the whole of a request to come. */
  readonly requestTime: number
  /** Milliseconds that a connection may be silent. */
  readonly idleTime: number
}

const usualLimits: HttpLimits = { bodyBytes: 65_536, connections: 512, requestTime: 15_000, idleTime: 30_000 }

/** `config` of a route. */
export interface RouteConfig {
  /** The part itself sees to it that the body of the request comes. */
  readonly takesItsTime?: true
}

/** Routes of one part, in a scope of their own: hooks and content types stay inside. */
export type HttpRoutes = (app: FastifyInstance) => Promise<void>

/** The one HTTP server, at which each part registers its doors before it starts. Errors are problems (RFC 9457). */
export class HttpServer {
  readonly #app: FastifyInstance
  readonly #listen: HttpOptions['listen']
  readonly #log: Log
  readonly #routes: { readonly method: string; readonly path: RegExp }[] = []

  constructor(options: HttpOptions) {
    this.#listen = options.listen
    this.#log = options.log.child({ part: 'http' })
    this.#app = this.#build({ ...usualLimits, ...options.limits })
  }

  register(routes: HttpRoutes): this {
    this.#app.register(async (scope) => routes(scope))
    return this
  }

  /** Binds the socket. Rejects with a ConfigurationFault when the address cannot be had. */
  async start(): Promise<{ readonly address: string; readonly port: number }> {
    const { address: host, port } = this.#listen
    await this.#app.ready()
    try {
      await this.#app.listen({ host, port })
    } catch (err) {
      throw unlistenable(err, `${host}:${port}`)
    }
    const bound = this.#app.server.address() as AddressInfo
    return { address: bound.address, port: bound.port }
  }

  /** Accepts nothing new and lets requests under way finish until `signal` aborts. */
  async close(signal?: AbortSignal): Promise<void> {
    const cut = () => this.#app.server.closeAllConnections()
    if (signal?.aborted) cut()
    signal?.addEventListener('abort', cut, { once: true })
    await this.#app.close()
    signal?.removeEventListener('abort', cut)
  }

  #build(limits: HttpLimits): FastifyInstance {
    const app = fastify({
      bodyLimit: limits.bodyBytes,
      requestTimeout: 0, // a body that is read as it comes may take its time; `hurry` looks at the others
      keepAliveTimeout: limits.idleTime,
      connectionTimeout: Math.max(limits.idleTime, limits.requestTime),
      http: { headersTimeout: limits.requestTime },
      routerOptions: { maxParamLength: 1024 },
      ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
    })
    app.server.maxConnections = limits.connections
    app.removeContentTypeParser('text/plain') // what no schema describes is refused with 415, not handed on unchecked
    app.addHook('onRequest', async ({ raw, routeOptions }) => {
      if ((routeOptions.config as RouteConfig).takesItsTime !== true) hurry(raw, limits.requestTime)
    })
    app.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) this.#routes.push({ method: each, path: patternOf(url) })
    })
    app.setErrorHandler((err, request, reply) => this.#answerError(err, request, reply))
    app.setNotFoundHandler((request) => this.#refuseUnknown(request))
    return app
  }

  #answerError(err: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const known = problemOf(err)
    if (known === undefined) this.#log.error({ err, method: request.method, path: request.routeOptions.url }, 'bug')
    const { problem, headers } = known ?? { problem: { status: 500, title: 'Internal error' }, headers: {} }
    reply.code(problem.status).headers(headers).type(problemType).serializer(JSON.stringify).send(problem)
  }

  /** 405 where another method is served at that path (RFC 9110 §15.5.6), else 404. */
  #refuseUnknown(request: FastifyRequest): never {
    const path = request.url.split('?', 1)[0] as string
    const allowed = this.#routes.filter((route) => route.path.test(path)).map(({ method }) => method)
    if (allowed.length === 0) throw new HttpProblem(404, 'Not found', '')
    const allow = allowed.join(', ')
    throw new HttpProblem(405, 'Method not allowed', `${allow} may be used here`, { allow })
  }
}

/** Cuts the connection of a request of which the body does not come. */
function hurry(request: IncomingMessage, within: number): void {
  const { headers } = request
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return
  const timer = setTimeout(() => request.socket.destroy(), within)
  for (const over of ['end', 'close']) request.once(over, () => clearTimeout(timer))
}

function patternOf(url: string): RegExp {
  const literal = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replace(/:\w+/g, '[^/]+').replace(/\*/g, '.*')}$`)
}

const unlistenableCodes: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program',
  EADDRNOTAVAIL: 'is no address of this machine',
  EACCES: 'may not be used by this user',
}

function unlistenable(err: unknown, address: string): unknown {
  const why = err instanceof Error && 'code' in err ? unlistenableCodes[String(err.code)] : undefined
  return why === undefined ? err : new ConfigurationFault('http.listen', `${address} ${why}`, 'give another address')
}
