import { randomBytes } from 'node:crypto'
import type { Database } from '../../database/index.ts'
import { NotifiedCache } from '../../database/notified-cache.ts'
import type { Scope } from './scopes.ts'
import { hashOf, newSecret, opens, readToken, type Token, writeToken } from './token.ts'

interface Needs {
  readonly database: Database
  /** Milliseconds. */
  readonly tokenLifetime: number
  readonly refreshLifetime: number
  readonly now: () => number
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  /** Grants held in memory, in each of two generations. */
  readonly mostCached?: number
}

/** What an access token gives, while its grant is in force. */
export interface Grant {
  readonly owner: number
  readonly scopes: readonly Scope[]
  /** A hash over what proved the owner when the grant was made. */
  readonly credential: string
}

/** What a client gets (RFC 6749 §5.1). */
export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly scopes: readonly Scope[]
}

interface Row {
  readonly scopes: readonly Scope[]
  readonly credential: string
  readonly access_hash: Buffer
  readonly access_scopes: readonly Scope[]
  readonly access_until: Date
  readonly refresh_hash: Buffer
  readonly refresh_until: Date
}

const channel = 'access-grants'
/** Logins of one user; the ones that end first give way. */
const mostGrants = 100
const sweepEvery = 600_000

/**
 * Access and refresh tokens: random, of 256 bits, and only their hashes are kept. A grant is one login; a refresh makes
 * both of its tokens anew. Who comes with an older refresh token has it from somebody else, or somebody else had it: the
 * grant is over (RFC 9700 §4.14.2).
 */
export class AccessTokens {
  readonly #needs: Needs
  readonly #cache: NotifiedCache<string, Row | null>
  readonly #sweeper: NodeJS.Timeout
  #sweeping: Promise<unknown> = Promise.resolve()

  constructor(needs: Needs) {
    this.#needs = needs
    this.#cache = new NotifiedCache({
      notifications: needs.database.notifications,
      channel,
      keysOf: (payload) => [payload],
      read: async (key) => (await this.#read(key)) ?? null,
      most: needs.mostCached ?? 50_000,
    })
    this.#sweeper = setInterval(() => {
      this.#sweeping = this.sweep()
    }, sweepEvery)
    this.#sweeper.unref()
  }

  async issue({ owner, scopes, credential }: Grant): Promise<Tokens> {
    const grant = randomBytes(16).toString('hex')
    const { tokens, values } = this.#newPair(owner, grant, scopes)
    await this.#needs.database.query(issueStatement, [owner, grant, scopes, credential, ...values])
    const old = await this.#needs.database.query<{ grant: string }>(capStatement, [owner, mostGrants])
    for (const one of old) this.#changed({ owner, grant: one.grant.replaceAll('-', '') })
    return tokens
  }

  /** New tokens for a refresh token, with fewer scopes where some are named; undefined where it is none in force. */
  async refresh(text: string, isInForce: (grant: Grant) => Promise<boolean>, wanted?: readonly Scope[]) {
    const token = readToken(text)
    if (token?.kind !== 'refresh') return undefined
    const row = await this.#read(keyOf(token))
    if (row === undefined) return undefined
    if (!opens(token.secret, row.refresh_hash)) return await this.#reused(token)
    if (row.refresh_until.getTime() <= this.#needs.now()) return undefined
    if (!(await isInForce({ ...row, owner: token.owner }))) return undefined
    const scopes = wanted ?? row.scopes
    if (scopes.some((scope) => !row.scopes.includes(scope))) return 'beyond-grant' as const
    return await this.#renew(token, row.refresh_hash, scopes)
  }

  /** The grant of an access token. A promise only where the database has to be asked. */
  find(text: string): Grant | undefined | Promise<Grant | undefined> {
    const token = readToken(text)
    if (token?.kind !== 'access') return undefined
    const row = this.#cache.get(keyOf(token))
    return row instanceof Promise ? row.then((read) => this.#grantOf(token, read)) : this.#grantOf(token, row)
  }

  /** Ends the grant that a token of either kind belongs to; nothing where it is none (RFC 7009 §2.2). */
  async revoke(text: string): Promise<void> {
    const token = readToken(text)
    if (token === undefined) return
    const row = await this.#read(keyOf(token))
    const hash = token.kind === 'access' ? row?.access_hash : row?.refresh_hash
    if (hash !== undefined && opens(token.secret, hash)) await this.#end(token)
  }

  /** Removes what is over. */
  async sweep(): Promise<void> {
    try {
      await this.#needs.database.query(sweepStatement, [new Date(this.#needs.now())])
    } catch (err) {
      this.#needs.log.info({ err }, 'old access tokens are removed later')
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#cache.close()
    await this.#sweeping
  }

  #grantOf(token: Token, row: Row | null): Grant | undefined {
    if (row === null || row.access_until.getTime() <= this.#needs.now()) return undefined
    if (!opens(token.secret, row.access_hash)) return undefined
    return { owner: token.owner, scopes: row.access_scopes, credential: row.credential }
  }

  /** Of two that refresh with the same token at once, one comes too late: that is reuse as well. */
  async #renew(token: Token, before: Buffer, scopes: readonly Scope[]): Promise<Tokens | undefined> {
    const { owner, grant } = token
    const { tokens, values } = this.#newPair(owner, grant, scopes)
    const renewed = await this.#needs.database.query(renewStatement, [owner, grant, before, ...values, scopes])
    if (renewed.length === 0) return await this.#reused(token)
    this.#changed(token)
    return tokens
  }

  async #reused(token: Token): Promise<undefined> {
    this.#needs.log.warn({ owner: token.owner }, 'a refresh token came twice: its grant is over')
    await this.#end(token)
    return undefined
  }

  async #end(token: Token): Promise<void> {
    await this.#needs.database.query(endStatement, [token.owner, token.grant])
    this.#changed(token)
  }

  #changed(token: Whose): void {
    this.#cache.delete(keyOf(token))
    this.#needs.database.notifications.publish(channel, keyOf(token))
  }

  #newPair(owner: number, grant: string, scopes: readonly Scope[]): { tokens: Tokens; values: unknown[] } {
    const { now, tokenLifetime, refreshLifetime } = this.#needs
    const [access, refresh] = [newSecret(), newSecret()]
    const values = [hashOf(access), new Date(now() + tokenLifetime), hashOf(refresh), new Date(now() + refreshLifetime)]
    return {
      tokens: {
        access: writeToken({ kind: 'access', owner, grant, secret: access }),
        refresh: writeToken({ kind: 'refresh', owner, grant, secret: refresh }),
        scopes,
      },
      values,
    }
  }

  async #read(key: string): Promise<Row | undefined> {
    const [owner, grant] = key.split(':')
    const [row] = await this.#needs.database.query<Row>(readStatement, [Number(owner), grant])
    return row
  }
}

type Whose = Pick<Token, 'owner' | 'grant'>

const keyOf = ({ owner, grant }: Whose): string => `${owner}:${grant}`

const issueStatement = {
  name: 'access-grants-issue',
  text: `insert into access_grants
    (owner, id, scopes, access_scopes, credential, access_hash, access_until, refresh_hash, refresh_until)
    values ($1, $2, $3, $3, $4, $5, $6, $7, $8)`,
}

const capStatement = {
  name: 'access-grants-cap',
  text: `delete from access_grants where owner = $1 and id in
    (select id from access_grants where owner = $1 order by refresh_until desc, id offset $2)
    returning id as grant`,
}

const renewStatement = {
  name: 'access-grants-renew',
  text: `update access_grants set access_hash = $4, access_until = $5, refresh_hash = $6, refresh_until = $7, access_scopes = $8
    where owner = $1 and id = $2 and refresh_hash = $3 returning 1`,
}

const readStatement = {
  name: 'access-grants-read',
  text: `select scopes, access_scopes, credential, access_hash, access_until, refresh_hash, refresh_until
    from access_grants where owner = $1 and id = $2`,
}

const endStatement = { name: 'access-grants-end', text: 'delete from access_grants where owner = $1 and id = $2' }

const sweepStatement = { name: 'access-grants-sweep', text: 'delete from access_grants where refresh_until <= $1' }
