import type { Database } from '../../../database/index.ts'

const channel = 'mailboxes'
const gatherMs = 20
/** Payloads of notifications are short. */
const mostNamed = 400

interface Listener {
  readonly changed: (owner: number) => void
  readonly lost: (() => void) | undefined
}

/**
 * Tells whose mailbox has changed, here and at the other nodes. What comes together is told once; those far away learn of
 * many owners in one notification, as notifications serialise commits.
 */
export class ChangeListeners {
  readonly #notifications: Database['notifications']
  readonly #listeners = new Set<Listener>()
  readonly #unsubscribe: () => void
  #changed = new Set<number>()
  #timer: NodeJS.Timeout | undefined

  constructor({ notifications }: Database) {
    this.#notifications = notifications
    this.#unsubscribe = notifications.subscribe(
      channel,
      (payload, own) => {
        if (!own) for (const owner of payload.split(',')) this.#tell(Number(owner))
      },
      () => {
        for (const { lost } of this.#listeners) lost?.()
      },
    )
  }

  add(changed: (owner: number) => void, lost: (() => void) | undefined): () => void {
    const listener = { changed, lost }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  changed(owner: number): void {
    this.#changed.add(owner)
    this.#timer ??= setTimeout(() => this.#flush(), gatherMs)
  }

  close(): void {
    this.#unsubscribe()
    clearTimeout(this.#timer)
    this.#flush()
    this.#listeners.clear()
  }

  #flush(): void {
    this.#timer = undefined
    const owners = [...this.#changed]
    this.#changed = new Set()
    for (let at = 0; at < owners.length; at += mostNamed) {
      this.#notifications.publish(channel, owners.slice(at, at + mostNamed).join(','))
    }
    for (const owner of owners) this.#tell(owner)
  }

  #tell(owner: number): void {
    for (const { changed } of this.#listeners) changed(owner)
  }
}
