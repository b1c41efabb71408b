import type { Reason } from '../../protocols/sip/reason.ts'
import type { FinalResponse, StoredDialog } from './dialogs.ts'
import type { KeptObject } from './kept-object.ts'
import type { StoredSession } from './stored-sessions.ts'

export interface FarewellNeeds {
  readonly rows: {
    claim(gone: string, most: number): Promise<StoredSession[]>
    areThere(node: string): Promise<boolean>
    remove(id: string): Promise<void>
  }
  readonly byeStored: (
    dialog: StoredDialog,
    reason?: Reason,
  ) => { readonly final: Promise<FinalResponse>; abandon(): void }
  /** What is in histories of it gets its end. */
  readonly abandoned?: (kept: readonly KeptObject[]) => Promise<void>
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}

/** So many sessions at once, so often: a hundred a second. */
const most = 25
const everyMs = 250

const crashed: Reason = { protocol: 'SIP', cause: 503, text: 'Server restarted' }

/** Tells the parties of sessions whose node is gone that nobody is there any more (design §3). */
export class Farewell {
  /** Sessions whose parties were told. */
  told = 0
  readonly #needs: FarewellNeeds
  readonly #underWay = new Set<{ abandon(): void }>()
  #closed = false
  #wake: (() => void) | undefined

  constructor(needs: FarewellNeeds) {
    this.#needs = needs
  }

  /** Says BYE to all that a node has left behind. Resolves with whether nothing of it is left. */
  async tellPartiesOf(gone: string): Promise<boolean> {
    while (!this.#closed) {
      const sessions = await this.#needs.rows.claim(gone, most)
      if (sessions.length === 0) return !(await this.#needs.rows.areThere(gone))
      this.#needs.log.info({ gone, sessions: sessions.length }, 'sessions of a node that is gone are ended')
      for (const session of sessions) void this.#tell(session)
      await this.#pause()
    }
    return false
  }

  /** What is not through is left to who comes after. */
  close(): void {
    this.#closed = true
    this.#wake?.()
    for (const sending of this.#underWay) sending.abandon()
  }

  async #tell({ id, dialogs, kept }: StoredSession): Promise<void> {
    await Promise.all([...dialogs.map((dialog) => this.#bye(dialog)), kept && this.#needs.abandoned?.(kept)])
    if (this.#closed) return
    this.told += 1
    await this.#needs.rows.remove(id).catch((err) => this.#needs.log.warn({ err, id }, 'row of a session not removed'))
  }

  async #bye(dialog: StoredDialog): Promise<void> {
    const sending = this.#needs.byeStored(dialog, crashed)
    this.#underWay.add(sending)
    await sending.final
    this.#underWay.delete(sending)
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, everyMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
