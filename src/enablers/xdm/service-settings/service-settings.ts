import type { Database } from '../../../database/index.ts'
import { NotifiedCache } from '../../../database/notified-cache.ts'
import { MalformedXml } from '../../../protocols/xml/malformed-xml.ts'
import type { DocumentChange, Documents } from '../documents/index.ts'
import { Settings } from './settings.ts'

interface Needs {
  readonly database: Database
  readonly documents: Pick<Documents, 'onChanged'>
  readonly addressOf: (uri: string) => string | undefined
  /** Users held in memory, in each of two generations: what is held of most is that they have no settings. */
  readonly mostCached?: number
}

const auid = 'org.parley.service-settings'

/** The settings of users, as they are asked for before each message: from memory, and true as soon as a document is changed. */
export class ServiceSettings {
  readonly #database: Database
  readonly #cache: NotifiedCache<number, Settings | null>
  readonly #stop: () => void

  constructor({ database, documents, addressOf, mostCached = 200_000 }: Needs) {
    this.#database = database
    this.#cache = new NotifiedCache({
      notifications: database.notifications,
      channel: 'documents',
      keysOf: (payload) => ownersIn((JSON.parse(payload) as DocumentChange).key),
      read: async (owner) => {
        const [row] = await database.query<{ readonly content: Buffer }>(statement, [owner, auid])
        return row === undefined ? null : readSettings(row.content, addressOf)
      },
      most: mostCached,
    })
    this.#stop = documents.onChanged(({ key }) => {
      for (const owner of ownersIn(key)) this.#cache.delete(owner)
    })
  }

  /** Undefined for users without settings. A promise only where the database has to be asked. */
  of(owner: number): Settings | undefined | Promise<Settings | undefined> {
    const found = this.#cache.get(owner)
    return found instanceof Promise ? found.then((settings) => settings ?? undefined) : (found ?? undefined)
  }

  /** Users who say how long their mailboxes are to keep what is in them. */
  async *keepers(): AsyncGenerator<{ readonly owner: number; readonly keepDays: number }> {
    for (let after = 0; ; ) {
      const rows = await this.#database.query<{ readonly owner: number }>(keepersStatement, [
        auid,
        after,
        keepersAtOnce,
      ])
      for (const { owner } of rows) {
        const keepDays = (await this.of(owner))?.keepDays
        if (keepDays !== undefined) yield { owner, keepDays }
      }
      const last = rows.at(-1)
      if (last === undefined || rows.length < keepersAtOnce) return
      after = last.owner
    }
  }

  close(): void {
    this.#stop()
    this.#cache.close()
  }
}

const ownersIn = (key: DocumentChange['key']): readonly number[] => (key.auid === auid ? [key.owner] : [])

/** What could not be read was never accepted by this server; it says nothing then. */
function readSettings(content: Buffer, addressOf: Needs['addressOf']): Settings | null {
  try {
    return new Settings(content, addressOf)
  } catch (err) {
    if (err instanceof MalformedXml) return null
    throw err
  }
}

const keepersAtOnce = 500

const keepersStatement = {
  name: '',
  text: `select owner from documents
    where auid = $1 and name = 'index' and owner > $2 and position('keep-days'::bytea in content) > 0 order by owner limit $3`,
}

const statement = {
  name: 'service-settings-read',
  text: `select content from documents where owner = $1 and auid = $2 and name = 'index'`,
}
