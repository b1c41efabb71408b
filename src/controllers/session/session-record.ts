import type { Dialog, StoredDialog } from './dialogs.ts'
import type { KeptObject } from './kept-object.ts'
import type { StoredSession } from './stored-sessions.ts'

export interface SessionRecordNeeds {
  readonly rows: {
    put(session: StoredSession): Promise<void>
    remove(id: string): Promise<void>
  }
  readonly log: { warn(fields: object, message: string): void }
}

/** A row is written anew before so many requests have followed it: the BYE after a crash has a number far above. */
const drift = 50_000

/**
 * The row of one session, for as long as the session lasts. Nothing waits for it: a crash before it is committed leaves a
 * session that its parties end themselves, when nobody refreshes it.
 */
export class SessionRecord {
  readonly id: string
  readonly #needs: SessionRecordNeeds
  /** As it was written last. */
  #written: readonly StoredDialog[] | undefined
  #kept = ''
  #writing: Promise<void> | undefined
  #over = false

  constructor(needs: SessionRecordNeeds, id: string) {
    this.#needs = needs
    this.id = id
  }

  /** Writes what has changed, if it has, or could not be written before. */
  save(dialogs: readonly Pick<Dialog, 'snapshot'>[], kept: readonly KeptObject[] = []): void {
    if (this.#over || this.#writing !== undefined) return
    const now = dialogs.map((dialog) => dialog.snapshot())
    const ids = kept.map(({ id }) => id).join()
    if (this.#written !== undefined && ids === this.#kept && !isOutdated(this.#written, now)) return
    const row = { id: this.id, dialogs: now, ...(kept.length > 0 && { kept }) }
    this.#writing = this.#needs.rows.put(row).then(
      () => this.#wrote(now, ids),
      (err) => this.#failed(err),
    )
  }

  /** Resolves when the row is gone, or could not be removed: then whoever comes after says a BYE that nobody needs. */
  async remove(): Promise<void> {
    this.#over = true
    await this.#writing
    await this.#needs.rows.remove(this.id).catch((err) => this.#failed(err))
  }

  #wrote(dialogs: readonly StoredDialog[], kept: string): void {
    this.#writing = undefined
    this.#written = dialogs
    this.#kept = kept
  }

  #failed(err: unknown): void {
    this.#writing = undefined
    this.#needs.log.warn({ err, session: this.id }, 'row of a session not written')
  }
}

/** What leads to a party has changed, or its numbers have run far. */
function isOutdated(before: readonly StoredDialog[], now: readonly StoredDialog[]): boolean {
  return now.some((dialog, at) => {
    const old = before[at]
    return (
      old === undefined ||
      old.callId !== dialog.callId ||
      old.remoteTarget !== dialog.remoteTarget ||
      old.flow !== dialog.flow ||
      dialog.localSeq - old.localSeq > drift
    )
  })
}
