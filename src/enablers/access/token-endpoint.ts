import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../../failure.ts'
import type { AccessTokens, Grant, Tokens } from './access-tokens.ts'
import { scopes as everyScope, isScope, type Scope } from './scopes.ts'
import { TokenError } from './token-error.ts'
import type { UserDoor } from './user-door.ts'

interface Needs {
  readonly tokens: Pick<AccessTokens, 'issue' | 'refresh' | 'revoke'>
  readonly door: Pick<UserDoor, 'isInForce' | 'sealOf'>
  /** Milliseconds. */
  readonly tokenLifetime: number
  /** Who it is, where the password is theirs. Throws Failure('too-many-attempts'). */
  readonly provePassword: (claim: {
    readonly username: string
    readonly password: string
    readonly address: string
  }) => Promise<{ readonly subscriber: number } | undefined>
  /** The user name of whoever has that address; undefined where it is no address. */
  readonly usernameOf: (address: string) => string | undefined | Promise<string | undefined>
}

type Parameters = ReadonlyMap<string, string>

const maxBytes = 16_384
const maxParameters = 20
const form = 'application/x-www-form-urlencoded'

/** POST /oauth/token (RFC 6749 §4.3, §6) and POST /oauth/revoke (RFC 7009). */
export class TokenEndpoint {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  readonly routes = async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) =>
      done(null, body),
    )
    app.setErrorHandler((err, _request, reply) => answerError(err, reply))
    const options = { method: 'POST', bodyLimit: maxBytes } as const
    app.route({ ...options, url: '/oauth/token', handler: (request, reply) => this.#token(request, reply) })
    app.route({ ...options, url: '/oauth/revoke', handler: (request, reply) => this.#revoke(request, reply) })
  }

  async #token(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const parameters = parametersOf(request)
    const tokens = await this.#granted(parameters, request.ip)
    return unstored(reply).send({
      access_token: tokens.access,
      token_type: 'Bearer',
      expires_in: Math.floor(this.#needs.tokenLifetime / 1000),
      refresh_token: tokens.refresh,
      scope: tokens.scopes.join(' '),
    })
  }

  #granted(parameters: Parameters, address: string): Promise<Tokens> {
    const type = needed(parameters, 'grant_type')
    if (type === 'password') return this.#byPassword(parameters, address)
    if (type === 'refresh_token') return this.#byRefresh(parameters)
    throw new TokenError('unsupported_grant_type', 'password and refresh_token are served')
  }

  async #byPassword(parameters: Parameters, address: string): Promise<Tokens> {
    const scopes = scopesIn(parameters) ?? everyScope
    const [typed, password] = [needed(parameters, 'username'), needed(parameters, 'password')]
    const username = (await this.#needs.usernameOf(typed)) ?? typed
    const credential = await this.#needs.door.sealOf(username) // before the proof: a password that changes meanwhile ends it
    const proof = await this.#needs.provePassword({ username, password, address })
    if (proof === undefined || credential === undefined) {
      throw new TokenError('invalid_grant', 'name or password is wrong')
    }
    return await this.#needs.tokens.issue({ owner: proof.subscriber, scopes, credential })
  }

  async #byRefresh(parameters: Parameters): Promise<Tokens> {
    const isInForce = (grant: Grant) => this.#needs.door.isInForce(grant)
    const token = needed(parameters, 'refresh_token')
    const tokens = await this.#needs.tokens.refresh(token, isInForce, scopesIn(parameters))
    if (tokens === 'beyond-grant') throw new TokenError('invalid_scope', 'the grant is for less')
    if (tokens === undefined) throw new TokenError('invalid_grant', 'the refresh token is not in force')
    return tokens
  }

  async #revoke(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    await this.#needs.tokens.revoke(needed(parametersOf(request), 'token'))
    return unstored(reply).code(200).send()
  }
}

/** §5.1: what holds a token is kept by nobody on the way. */
const unstored = (reply: FastifyReply) => reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' })

/** §3.2: each parameter once; those without a value count as left out. */
function parametersOf({ headers, body }: FastifyRequest): Parameters {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type !== form) throw new TokenError('invalid_request', `send ${form}`)
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(Buffer.isBuffer(body) ? body.toString() : '')) {
    if (parameters.has(name)) throw new TokenError('invalid_request', `${name} comes twice`)
    if (parameters.size === maxParameters) throw new TokenError('invalid_request', 'too many parameters')
    parameters.set(name, value)
  }
  return parameters
}

function needed(parameters: Parameters, name: string): string {
  const value = parameters.get(name)
  if (value === undefined || value === '') throw new TokenError('invalid_request', `${name} is missing`)
  return value
}

/** §3.3. */
function scopesIn(parameters: Parameters): readonly Scope[] | undefined {
  const names = (parameters.get('scope') ?? '').split(' ').filter((name) => name !== '')
  if (names.length === 0) return undefined
  if (!names.every(isScope)) throw new TokenError('invalid_scope', `the scopes are ${everyScope.join(' ')}`)
  return [...new Set(names)]
}

/** §5.2; what is none of these is answered as anywhere else. */
function answerError(err: unknown, reply: FastifyReply): FastifyReply {
  if (err instanceof TokenError) return sendError(reply, 400, err.code, err.message)
  if (err instanceof Failure && err.retryAfter !== undefined) {
    const status = err.condition === 'too-many-attempts' ? 429 : 503
    return sendError(reply.header('retry-after', err.retryAfter), status, 'temporarily_unavailable', err.condition)
  }
  throw err
}

const sendError = (reply: FastifyReply, status: number, error: string, description: string) =>
  unstored(reply).code(status).send({ error, error_description: description })
