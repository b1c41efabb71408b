import type { TestServer } from './start-server.ts'
import { XcapClient } from './xcap-client.ts'

export interface HistoryRow {
  readonly id: string
  readonly kind: string
  readonly direction: string
  readonly peer: string
  readonly folder: string
  readonly attributes: Readonly<Record<string, readonly string[]>>
  readonly disposition: number
  readonly contentType: string | null
  /** The request of a message, or the payload where that is not long. */
  readonly bytes: Buffer | null
  readonly contents: string | null
}

/** What a user has in their history, the oldest first. */
export async function historyOf(server: TestServer, user: string, kind?: string): Promise<readonly HistoryRow[]> {
  const rows = await server.query(
    `select m.id, m.kind, m.direction, m.peer, f.path as folder, m.attributes, m.disposition, m.contents,
       m.content_type as "contentType", coalesce(m.content, m.request) as bytes
     from messages m join subscribers s on s.id = m.owner left join folders f on f.owner = m.owner and f.id = m.folder
     where s.username = '${user}' and m.stored order by m.arrived, m.id`,
  )
  const all = rows as unknown as readonly HistoryRow[]
  return kind === undefined ? all : all.filter((row) => row.kind === kind)
}

/** The bodies of the messages that a user has. */
export async function saidTo(server: TestServer, user: string): Promise<readonly string[]> {
  const rows = await historyOf(server, user, 'message')
  return rows.map(({ bytes }) => String(bytes).split('\r\n\r\n').at(-1) ?? '')
}

/** The bytes of a part of an object, or of its payload (number 0). */
export async function bytesOf(server: TestServer, id: string, number = 0): Promise<Buffer> {
  const [row] = await server.query(
    number === 0
      ? `select owner, content, contents from messages where id = '${id}'`
      : `select owner, content, contents from message_parts where message = '${id}' and number = ${number}`,
  )
  if (row?.content != null) return row.content as Buffer
  const chunks = await server.query(`select bytes from chunks where content = '${row?.contents}' order by number`)
  return Buffer.concat(chunks.map(({ bytes }) => bytes as Buffer))
}

/** From now on that user has these settings. */
export async function setSettings(server: TestServer, user: string, content: string): Promise<number> {
  const place = `/org.parley.service-settings/users/${server.aor(user)}/index`
  const document = `<service-settings xmlns="urn:parley:service-settings">${content}</service-settings>`
  return (await new XcapClient(server, user).put(place, document, 'application/vnd.parley.service-settings+xml')).status
}
