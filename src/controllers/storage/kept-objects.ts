import type { Mailboxes, NewContent, ObjectUpdate, Side } from './needs.ts'
import {
  attributesOf,
  type CallOutcome,
  callAttributes,
  callObject,
  type SessionFacts,
  sessionObject,
  sessionPayload,
} from './session-objects.ts'

export interface ObjectOfOwner {
  readonly owner: number
  readonly id: string
}

interface Needs {
  readonly mailboxes: Mailboxes
  readonly newId: () => string
  readonly side: Side
  /** Undefined: a party that has no history here. */
  readonly owner: number | undefined
}

/** Sound that was recorded, and is to be somebody's. */
export interface RecordedSound {
  /** May be called more than once. */
  readonly content: () => Promise<NewContent>
  readonly done: () => Promise<void>
}

/** What one party has of a session in their mailbox: that it was, and the call in it. */
export class KeptObjects {
  readonly #needs: Needs
  #session: string | undefined
  #call: string | undefined

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Those that have no end yet. */
  get open(): readonly ObjectOfOwner[] {
    const { owner } = this.#needs
    if (owner === undefined) return []
    return [this.#session, this.#call].flatMap((id) => (id === undefined ? [] : { owner, id }))
  }

  /** Resolves once it is there. */
  async session(facts: SessionFacts): Promise<void> {
    const { mailboxes, newId, side, owner } = this.#needs
    if (owner === undefined || this.#session !== undefined) return
    this.#session = newId()
    try {
      await mailboxes.create(owner, sessionObject(this.#session, side, facts))
    } catch (err) {
      this.#session = undefined
      throw err
    }
  }

  async call(facts: SessionFacts, outcome: CallOutcome): Promise<void> {
    const { mailboxes, newId, side, owner } = this.#needs
    if (owner === undefined || this.#call !== undefined) return
    this.#call = newId()
    try {
      await mailboxes.create(owner, callObject(this.#call, side, facts, outcome))
    } catch (err) {
      this.#call = undefined
      throw err
    }
  }

  /** Resolves once it is there; may be called again when it was not. */
  async end(facts: SessionFacts, outcome: CallOutcome, sound: RecordedSound | undefined): Promise<void> {
    const { side } = this.#needs
    const [session, call] = [this.#session, this.#call]
    if (session !== undefined) {
      await this.#update(session, { payload: sessionPayload(side, facts), attributes: attributesOf(side, facts) })
      this.#session = undefined
    }
    if (call === undefined) return
    const payload = await sound?.content()
    await this.#update(call, { attributes: callAttributes(side, facts, outcome), ...(payload && { payload }) })
    this.#call = undefined
  }

  async #update(id: string, update: ObjectUpdate): Promise<void> {
    const { mailboxes, owner } = this.#needs
    if (owner !== undefined) await mailboxes.update(owner, id, update)
  }
}
