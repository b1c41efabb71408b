import type { Log } from './logging.ts'

/** Something that an administrator has to know. */
export interface Alarm {
  readonly kind: string
  /** Whom or what it is about. */
  readonly subject: string
  readonly text: string
}

export interface RaisedAlarm extends Alarm {
  /** When it was raised last, ISO 8601. */
  readonly at: string
  /** How often, while nobody cleared it. */
  readonly times: number
}

interface Needs {
  readonly log: Log
  readonly now: () => number
  /** An address that each alarm is posted to as JSON. */
  readonly webhook: string | undefined
}

const mostKept = 500
const mostPosting = 10
const postWithin = 5_000

/** Alarms: a log line, a count, a list for the administrator, and a post to whoever asked for it. */
export class Alarms {
  readonly #needs: Needs
  readonly #raised = new Map<string, RaisedAlarm>()
  readonly #posting = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  /** Since the start. */
  count = 0

  constructor(needs: Needs) {
    this.#needs = needs
  }

  raise(alarm: Alarm): void {
    this.count++
    const key = `${alarm.kind} ${alarm.subject}`
    const times = (this.#raised.get(key)?.times ?? 0) + 1
    const raised = { ...alarm, at: new Date(this.#needs.now()).toISOString(), times }
    this.#raised.delete(key)
    this.#raised.set(key, raised)
    const [oldest] = this.#raised.keys()
    if (this.#raised.size > mostKept && oldest !== undefined) this.#raised.delete(oldest)
    this.#needs.log.error({ kind: alarm.kind, subject: alarm.subject }, alarm.text)
    this.#post(raised)
  }

  /** The latest first. */
  list(): RaisedAlarm[] {
    return [...this.#raised.values()].reverse()
  }

  /** Forgets them, of one subject where it is named. Returns how many. */
  clear(subject?: string): number {
    const keys = [...this.#raised].filter(([, alarm]) => subject === undefined || alarm.subject === subject)
    for (const [key] of keys) this.#raised.delete(key)
    return keys.length
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#posting)
  }

  /** Once: whoever missed it finds it in the list. */
  #post(raised: RaisedAlarm): void {
    const { webhook } = this.#needs
    if (webhook === undefined || this.#posting.size >= mostPosting) return
    const posting: Promise<void> = this.#send(webhook, raised).finally(() => this.#posting.delete(posting))
    this.#posting.add(posting)
  }

  async #send(webhook: string, raised: RaisedAlarm): Promise<void> {
    const within = new AbortController() // AbortSignal.any() forgets its timeouts when memory is collected
    const stop = () => within.abort()
    const timer = setTimeout(stop, postWithin)
    this.#stopped.signal.addEventListener('abort', stop)
    try {
      if (this.#stopped.signal.aborted) stop()
      const response = await fetch(webhook, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(raised),
        signal: within.signal,
      })
      await response.body?.cancel()
      if (!response.ok) this.#needs.log.warn({ status: response.status }, 'the alarm webhook refused an alarm')
    } catch (err) {
      this.#needs.log.warn({ err }, 'an alarm was not posted')
    } finally {
      clearTimeout(timer)
      this.#stopped.signal.removeEventListener('abort', stop)
    }
  }
}
