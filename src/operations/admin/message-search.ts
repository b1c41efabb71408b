import type { Knex } from 'knex'
import { Failure } from '../../failure.ts'
import { cpimHeader, readCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { imdnHeaders } from '../../protocols/imdn/imdn.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { readMessage } from '../../protocols/sip/read-message.ts'

/** One owner's copy of a message. */
export interface MessageCopy {
  readonly user: string
  /** What its sender calls it: imdn.Message-ID, else Call-ID. */
  readonly id: string
  /** The id of its row, which the deliveries that wait name it by. */
  readonly message: string
  readonly direction: string
  readonly peer: string
  readonly arrivedAt: string
  /** Part of the owner's history; else it goes with the last device that it waits for. */
  readonly stored: boolean
  readonly contentType: string
  readonly bytes: number
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  /** Base64; only when it was asked for. */
  readonly content?: string
}

export interface MessageQuery {
  /** The id of its rows, which the lists show, or what its sender calls it: imdn.Message-ID, or Call-ID. */
  readonly id: string
  readonly owner?: number
}

/** What names a copy. */
export interface MessageKey {
  readonly owner: number
  readonly id: string
}

interface MessageRow extends MessageKey {
  readonly user: string | null
  readonly direction: string
  readonly peer: string
  readonly arrived: number
  readonly stored: boolean
  readonly request: Buffer
}

interface Found {
  readonly row: MessageRow
  readonly request: SipRequest
}

const mostCopies = 100
const unlimited = { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 }
const rowId = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const queryCanceled = '57014'

interface Needs {
  transaction<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T>
}

/**
 * Finds messages for the operator. Rows are found by their owner; a search over all owners reads the whole table, as no
 * index serves it that every message would have to pay for. Therefore it is bounded in time.
 */
export class MessageSearch {
  readonly #database: Needs
  constructor(database: Needs) {
    this.#database = database
  }

  async copies(query: MessageQuery, content: boolean): Promise<MessageCopy[]> {
    return (await this.#find(query)).map(({ row, request }) => toCopy(row, request, content))
  }

  async keys(query: MessageQuery): Promise<MessageKey[]> {
    return (await this.#find(query)).map(({ row: { owner, id } }) => ({ owner, id }))
  }

  async #find({ id, owner }: MessageQuery): Promise<Found[]> {
    if (rowId.test(id)) {
      const named = await this.#search('m.id = ?', id, owner)
      if (named.length > 0) return named // else it is a Call-ID: many clients make them of a UUID
    }
    const found = await this.#search('position(?::bytea in m.request) > 0', Buffer.from(id), owner)
    return found.filter(({ request }) => isCalled(request, id))
  }

  async #search(condition: string, id: string | Buffer, owner: number | undefined): Promise<Found[]> {
    const values = [id, ...(owner === undefined ? [] : [owner]), mostCopies]
    const rows = await this.#rows(searchSql(condition, owner), values)
    return rows.map((row) => ({ row, request: requestIn(row) }))
  }

  async #rows(sql: string, values: readonly (string | number | Buffer)[]): Promise<MessageRow[]> {
    try {
      return await this.#database.transaction(async (trx) => {
        await trx.raw('set local statement_timeout = 5000')
        const { rows } = await trx.raw<{ rows: MessageRow[] }>(sql, [...values])
        return rows
      })
    } catch (err) {
      if (isCanceled(err)) throw new Failure('overloaded', 'the search took too long: give the user', { cause: err })
      throw err
    }
  }
}

const searchSql = (condition: string, owner: number | undefined) => `
  select i.uri as "user", m.owner, m.id, m.direction, m.peer, m.arrived, m.stored, m.request
  from messages m
  left join identities i on i.subscriber = m.owner and i.position = 0
  where m.request is not null and ${condition} ${owner === undefined ? '' : 'and m.owner = ?'}
  limit ?`

function requestIn({ request, id }: MessageRow): SipRequest {
  const message = readMessage(request, unlimited)
  if (message instanceof SipRequest) return message
  throw new Error(`the message ${id} is kept as a response`)
}

const isCalled = (request: SipRequest, id: string) =>
  request.headers.get('call-id') === id || messageIdIn(request) === id

function messageIdIn({ headers, body }: SipRequest): string | undefined {
  if (mediaType(headers.get('content-type') ?? '') !== 'message/cpim') return undefined
  try {
    return cpimHeader(readCpim(body), 'Message-ID', imdnHeaders)
  } catch (err) {
    if (err instanceof MalformedCpim) return undefined
    throw err
  }
}

function toCopy(row: MessageRow, request: SipRequest, content: boolean): MessageCopy {
  const { headers, body } = request
  const { user, owner, direction, peer, arrived, stored } = row
  return {
    user: user ?? String(owner),
    id: messageIdIn(request) ?? headers.get('call-id') ?? '',
    message: row.id,
    direction,
    peer,
    arrivedAt: new Date(arrived / 1000).toISOString(),
    stored,
    contentType: headers.get('content-type') ?? '',
    bytes: body.length,
    headers: [...headers.entries()].map(([, name, value]) => ({
      name,
      value: Buffer.from(value, 'latin1').toString(),
    })),
    ...(content ? { content: body.toString('base64') } : {}),
  }
}

const isCanceled = (err: unknown) => err instanceof Error && 'code' in err && err.code === queryCanceled
