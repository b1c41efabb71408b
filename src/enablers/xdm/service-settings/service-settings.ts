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
  readonly #cache: NotifiedCache<number, Settings | null>
  readonly #stop: () => void

  constructor({ database, documents, addressOf, mostCached = 200_000 }: Needs) {
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

const statement = {
  name: 'service-settings-read',
  text: `select content from documents where owner = $1 and auid = $2 and name = 'index'`,
}
