import pg from 'pg'
import type { Log } from './log.ts'

interface Needs {
  connect(): pg.Client
  /** What to listen to whenever a connection is made. */
  channels(): readonly string[]
  onNotification(channel: string, payload: string): void
  /** From now on notifications of these channels arrive. */
  onListening(channels: readonly string[]): void
  onLost(): void
  readonly log: Log
}

const firstPauseMs = 100
const longestPauseMs = 2000
/** A connection that is idle by nature: only asking tells whether its other end is still there. */
const heartbeatMs = 5000

/** One connection that listens, made again whenever it is lost. */
export class ListeningConnection {
  readonly #needs: Needs
  #client: pg.Client | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #state: 'idle' | 'connecting' | 'connected' | 'closed' = 'idle'
  #pauseMs = firstPauseMs
  #retry: NodeJS.Timeout | undefined
  #heartbeat: NodeJS.Timeout | undefined
  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Listens to one channel more; the first makes the connection. */
  listen(channel: string): void {
    if (this.#state === 'idle') void this.#connect()
    else if (this.#state === 'connected') void this.#ask([channel])
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    clearTimeout(this.#retry)
    clearTimeout(this.#heartbeat)
    await this.#client?.end().catch(() => {})
  }

  async #connect(): Promise<void> {
    this.#state = 'connecting'
    const client = this.#needs.connect()
    this.#client = client
    this.#turn = Promise.resolve()
    client.on('notification', ({ channel, payload }) => this.#needs.onNotification(channel, payload ?? ''))
    client.on('error', (error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client, new Error('connection ended')))
    try {
      await client.connect()
    } catch (error) {
      return this.#lost(client, error)
    }
    if (this.#client !== client || this.#isClosed()) return void client.end().catch(() => {})
    this.#state = 'connected'
    await this.#ask(this.#needs.channels())
  }

  async #ask(channels: readonly string[]): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    try {
      await this.#query(client, channels.map((channel) => `LISTEN ${pg.escapeIdentifier(channel)};`).join(''))
      this.#pauseMs = firstPauseMs
      if (this.#client !== client) return
      this.#needs.onListening(channels)
      this.#beatLater(client)
    } catch (error) {
      this.#lost(client, error)
    }
  }

  /** One after the other: a client takes no second statement while it has one under way. */
  #query(client: pg.Client, text: string): Promise<unknown> {
    const turn = this.#turn.then(() => client.query(text))
    this.#turn = turn.catch(() => {})
    return turn
  }

  #beatLater(client: pg.Client): void {
    clearTimeout(this.#heartbeat)
    this.#heartbeat = setTimeout(() => {
      this.#query(client, 'SELECT 1').then(
        () => this.#client === client && this.#beatLater(client),
        (error) => this.#lost(client, error),
      )
    }, heartbeatMs)
    this.#heartbeat.unref()
  }

  #lost(client: pg.Client, error: unknown): void {
    if (this.#client !== client || this.#isClosed()) return
    const wasConnected = this.#state === 'connected'
    this.#client = undefined
    this.#state = 'connecting'
    clearTimeout(this.#heartbeat)
    void client.end().catch(() => {})
    if (wasConnected) {
      this.#needs.log.warn({ err: error }, 'notification connection lost')
      this.#needs.onLost()
    }
    this.#retry = setTimeout(() => this.#connect(), this.#pauseMs)
    this.#retry.unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }
}
