import { Failure } from '../../failure.ts'
import { type WatcherStatus, watcherInfoType, writeWatcherInfo } from '../../protocols/pidf/watcher-info.ts'
import type { Decision } from './presence-rules.ts'

interface Watcher {
  readonly resource: string
  readonly owner: number | undefined
  /** Notifications before this one. */
  readonly sequence: number
}

interface WatcherRow {
  readonly id: string
  readonly subscriber: string
  readonly owner: number | null
  readonly anonymous: boolean
  readonly state: 'pending' | 'active' | 'terminated'
  /** It is watched through a list, and `state` is that of the list. */
  readonly listed: boolean
}

interface Needs {
  readonly subscriberOf: (
    aor: string,
  ) => { readonly id: number } | undefined | Promise<{ readonly id: number } | undefined>
  /** Who subscribes to the presence of a resource. */
  readonly watchersOf: (resource: string) => Promise<readonly WatcherRow[]>
  readonly decide: (
    owner: number,
    watcher: { readonly aor: string; readonly owner: number | undefined; readonly anonymous: boolean },
  ) => Promise<Decision>
}

/** Who hides is seen to be there, and no more (RFC 3323 §4.1.1.3). */
const nobody = 'sip:anonymous@anonymous.invalid'

/** Who watches one's presence (RFC 3857, RFC 3858): for oneself alone. */
export class WatcherInfoPackage {
  readonly name = 'presence.winfo'
  readonly contentTypes = [watcherInfoType]
  readonly expires = { max: 86_400, usual: 3_600 }
  readonly interval = 1_000
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  async authorise({ resource, owner }: Watcher): Promise<'active'> {
    const watched = await this.#needs.subscriberOf(resource)
    if (owner === undefined || watched?.id !== owner) throw new Failure('forbidden')
    return 'active'
  }

  async notification({ resource, owner, sequence }: Watcher): Promise<{ contentType: string; content: Buffer }> {
    const rows = await this.#needs.watchersOf(resource)
    const watchers = await Promise.all(rows.map((row) => this.#statusOf(row, owner)))
    const content = writeWatcherInfo(sequence, { resource, package: 'presence', watchers: watchers.flat() })
    return { contentType: watcherInfoType, content }
  }

  async #statusOf(row: WatcherRow, owner: number | undefined): Promise<WatcherStatus[]> {
    const state = row.listed && owner !== undefined ? await this.#stateOfMember(row, owner) : row.state
    if (state === 'terminated') return []
    const uri = row.anonymous ? nobody : row.subscriber
    return [{ id: row.id, uri, status: state, event: state === 'pending' ? 'subscribe' : 'approved' }]
  }

  /** Of a list the row knows who is in it, the rules of each say the rest. */
  async #stateOfMember({ subscriber, owner: watcher, anonymous }: WatcherRow, owner: number) {
    const { handling } = await this.#needs.decide(owner, { aor: subscriber, owner: watcher ?? undefined, anonymous })
    if (handling === 'block') return 'terminated'
    return handling === 'confirm' ? 'pending' : 'active'
  }
}
