import { bigints, booleans, integers, texts, times } from '../../database/columns.ts'
import { Binding, type BindingFields } from './binding.ts'

export interface BindingRow {
  readonly owner: number
  readonly key: string
  readonly device: string
  readonly has_instance: boolean
  readonly reg_id: number
  readonly aor: string
  readonly contact: string
  readonly params: string
  readonly path: string[]
  readonly call_id: string
  readonly cseq: number
  readonly q: number
  readonly user_agent: string
  readonly transport: string
  readonly flow: string
  readonly received_address: string
  readonly received_port: number
  readonly registered_at: Date
  readonly expires_at: Date
}

/** What one registration writes, all of one owner. */
export interface BindingChange {
  readonly owner: number
  readonly rows: readonly BindingFields[]
}

export interface ChangeResult {
  readonly owner: number
  /** Messages wait for this owner. */
  readonly waiting: boolean
}

const noPath: readonly string[] = []

export function fromRow(row: BindingRow): Binding {
  return new Binding({
    owner: row.owner,
    key: row.key,
    device: row.device === row.key ? row.key : row.device,
    hasInstance: row.has_instance,
    regId: row.reg_id,
    aor: row.aor,
    contact: row.contact === row.key ? row.key : row.contact,
    params: row.params,
    path: row.path.length === 0 ? noPath : row.path,
    callId: row.call_id,
    cseq: row.cseq,
    q: row.q,
    userAgent: row.user_agent,
    transport: row.transport,
    flow: row.flow,
    address: row.received_address,
    port: row.received_port,
    registeredAt: row.registered_at.getTime(),
    expiresAt: row.expires_at.getTime(),
  })
}

/** The parameters of `writeText`. */
export function toValues(changes: readonly BindingChange[]): unknown[] {
  const rows = changes.flatMap((change) => change.rows)
  return [
    bigints(changes.map(({ owner }) => owner)),
    bigints(rows.map((row) => row.owner)),
    texts(rows.map((row) => row.key)),
    texts(rows.map((row) => row.device)),
    booleans(rows.map((row) => row.hasInstance)),
    integers(rows.map((row) => row.regId)),
    texts(rows.map((row) => row.aor)),
    texts(rows.map((row) => row.contact)),
    texts(rows.map((row) => row.params)),
    texts(rows.map((row) => row.path.join('\n'))),
    texts(rows.map((row) => row.callId)),
    bigints(rows.map((row) => row.cseq)),
    integers(rows.map((row) => row.q)),
    texts(rows.map((row) => row.userAgent)),
    texts(rows.map((row) => row.transport)),
    texts(rows.map((row) => row.flow)),
    texts(rows.map((row) => row.address)),
    integers(rows.map((row) => row.port)),
    times(rows.map((row) => row.registeredAt)),
    times(rows.map((row) => row.expiresAt)),
  ]
}

/** In the order of the changes. */
export function toResults(changes: readonly BindingChange[], returned: readonly ChangeResult[]): boolean[] {
  const waiting = new Map(returned.map((result) => [result.owner, result.waiting]))
  return changes.map(({ owner }) => waiting.get(owner) === true)
}

const columnNames = `owner, key, device, has_instance, reg_id, aor, contact, params, path, call_id, cseq, q,
  user_agent, transport, flow, received_address, received_port, registered_at, expires_at`

/**
 * What is removed is written as well, as expired, so that there is one kind of write and the primary key finds each row,
 * whatever the planner thinks of the size of the table. LIMIT keeps it from reading all of `deferred` into a hash.
 */
export const writeText = `
  with written as (
    insert into bindings (${columnNames})
    select owner, key, device, has_instance, reg_id, aor, contact, params, string_to_array(path, E'\\n'), call_id, cseq, q,
      user_agent, transport, flow, received_address, received_port, registered_at, expires_at
    from unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::integer[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::bigint[], $13::integer[], $14::text[], $15::text[], $16::text[], $17::text[],
      $18::integer[], $19::timestamptz[], $20::timestamptz[]) as row (${columnNames})
    order by owner, key
    on conflict (owner, key) do update set
      device = excluded.device, has_instance = excluded.has_instance, reg_id = excluded.reg_id, aor = excluded.aor,
      contact = excluded.contact, params = excluded.params, path = excluded.path, call_id = excluded.call_id,
      cseq = excluded.cseq, q = excluded.q, user_agent = excluded.user_agent, transport = excluded.transport,
      flow = excluded.flow, received_address = excluded.received_address, received_port = excluded.received_port,
      registered_at = excluded.registered_at, expires_at = excluded.expires_at
  )
  select o.owner, coalesce((select true from deferred d where d.owner = o.owner limit 1), false) as waiting
  from unnest($1::bigint[]) as o (owner)`

/** Those that live, and those of devices that are remembered. */
export const readStatement = {
  name: 'bindings-of-owner',
  text: `select ${columnNames} from bindings
         where owner = $1 and (expires_at > $2 or (has_instance and expires_at > $3))
         order by q desc, registered_at desc limit 100`,
}

/** At most so many rows go with one statement. */
export const sweepBatch = 5000

/** The time is asked for twice: a row that is registered anew meanwhile must stay. */
export const expiredSinceStatement = {
  name: 'bindings-expired-since',
  text: 'select distinct owner from bindings where expires_at > $1 and expires_at <= $2',
}

export const expireStatement = {
  name: 'bindings-expire',
  text: `delete from bindings where expires_at <= $1 and not has_instance and (owner, key) in (
           select owner, key from bindings where not has_instance and expires_at <= $1 limit ${sweepBatch})
         returning owner`,
}

export const forgetStatement = {
  name: 'bindings-forget',
  text: `delete from bindings where expires_at <= $1 and has_instance and (owner, key) in (
           select owner, key from bindings where has_instance and expires_at <= $1 limit ${sweepBatch})
         returning owner`,
}
