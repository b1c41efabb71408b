import { Failure } from '../../failure.ts'
import type { EventPackage, NotifyBody, Watcher } from './event-package.ts'
import { isPassing } from './is-passing.ts'

/**
 * A watcher inside this process (RFC 4662 §4.1): it hears of every change. One that is refused stays, and is let in when
 * the rules change.
 */
export class BackEndSubscription {
  readonly #package: EventPackage
  readonly #watcher: Watcher
  readonly #onChanged: () => void
  readonly #onClosed: () => void
  #state: 'pending' | 'active' | 'terminated' = 'pending'
  #reason: 'rejected' | 'noresource' | undefined

  constructor(eventPackage: EventPackage, watcher: Watcher, onChanged: () => void, onClosed: () => void) {
    this.#package = eventPackage
    this.#watcher = watcher
    this.#onChanged = onChanged
    this.#onClosed = onClosed
  }

  get state(): 'pending' | 'active' | 'terminated' {
    return this.#state
  }

  /** Why it is terminated. */
  get reason(): 'rejected' | 'noresource' | undefined {
    return this.#reason
  }

  async authorise(): Promise<void> {
    try {
      this.#state = await this.#package.authorise(this.#watcher)
      this.#reason = undefined
    } catch (err) {
      if (!(err instanceof Failure) || isPassing(err)) throw err
      this.#state = 'terminated'
      this.#reason = err.condition === 'recipient-unknown' ? 'noresource' : 'rejected'
    }
  }

  notify(): void {
    this.#onChanged()
  }

  notification(): NotifyBody | undefined | Promise<NotifyBody | undefined> {
    return this.#package.notification(this.#watcher)
  }

  close(): void {
    this.#onClosed()
  }
}
