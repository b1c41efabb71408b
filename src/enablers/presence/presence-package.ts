import { Failure } from '../../failure.ts'
import { type PresencePart, pidfType, writePidf } from '../../protocols/pidf/pidf.ts'
import type { PresenceAuthorisation } from './presence-authorisation.ts'
import type { PresenceState } from './presence-state.ts'
import { shownParts } from './shown-parts.ts'

/** Who watches, as the notifier knows it. */
interface Watcher {
  readonly resource: string
  readonly subscriber: string
  readonly owner: number | undefined
  readonly anonymous: boolean
  readonly state: 'pending' | 'active' | 'terminated'
}

interface Needs {
  readonly subscriberOf: (
    aor: string,
  ) => { readonly id: number } | undefined | Promise<{ readonly id: number } | undefined>
  readonly authorisation: Pick<PresenceAuthorisation, 'decide'>
  readonly state: Pick<PresenceState, 'of'>
  /** The list of those who watch has changed. */
  readonly watchersChanged: (resource: string) => void
}

const neutral: readonly PresencePart[] = [
  {
    kind: 'tuple',
    id: 'none',
    xml: '<tuple xmlns="urn:ietf:params:xml:ns:pidf" id="none"><status><basic>closed</basic></status></tuple>',
  },
]

/** The presence of a user (RFC 3856). */
export class PresencePackage {
  readonly name = 'presence'
  readonly contentTypes = [pidfType]
  readonly expires = { max: 86_400, usual: 3_600 }
  readonly interval = 1_000
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Who is blocked politely does not learn of it (RFC 5025 §3.2.1): they watch somebody who is away. */
  async authorise(watcher: Watcher): Promise<'active' | 'pending'> {
    const { handling } = await this.#decide(watcher)
    if (handling === 'block') throw new Failure('forbidden')
    return handling === 'confirm' ? 'pending' : 'active'
  }

  async notification(watcher: Watcher): Promise<{ contentType: string; content: Buffer }> {
    return {
      contentType: pidfType,
      content: writePidf({ entity: watcher.resource, parts: await this.#seenBy(watcher) }),
    }
  }

  watched(resource: string): void {
    this.#needs.watchersChanged(resource)
  }

  async #seenBy(watcher: Watcher): Promise<readonly PresencePart[]> {
    const { handling, shows, owner } = await this.#decide(watcher)
    if (handling !== 'allow') return neutral
    return shownParts(await this.#needs.state.of(owner, watcher.resource), shows)
  }

  async #decide({ resource, subscriber, owner, anonymous }: Watcher) {
    const watched = await this.#needs.subscriberOf(resource)
    if (watched === undefined) throw new Failure('recipient-unknown')
    const decision = await this.#needs.authorisation.decide(watched.id, { aor: subscriber, owner, anonymous })
    return { ...decision, owner: watched.id }
  }
}
