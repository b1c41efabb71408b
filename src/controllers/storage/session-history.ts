import { Failure } from '../../failure.ts'
import { asksForRecording, asksForStorage } from '../../protocols/cpm/storage-request.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { FileCopies } from './file-copies.ts'
import { KeptObjects, type ObjectOfOwner, type RecordedSound } from './kept-objects.ts'
import type { Copies, Mailboxes, Parties, PassingFile, RecordedMedia, Said, SaidMessage, Side } from './needs.ts'
import { type Log, otherSide, sides } from './needs.ts'
import { type CallOutcome, mediaOf, type SessionFacts } from './session-objects.ts'
import type { SoundRecordings } from './sound-recordings.ts'
import type { StoragePolicy, StoredMedium } from './storage-policy.ts'

export interface HistoryNeeds {
  readonly policy: StoragePolicy
  readonly mailboxes: Mailboxes
  readonly sounds: SoundRecordings
  /** Resolves once what was said is in the histories of those, or is dealt with as the notification that it is. */
  readonly keep: (said: Said, copies: Copies) => Promise<void>
  /** Tries again while the database is away, for a while. */
  readonly persist: (work: () => Promise<void>) => Promise<void>
  readonly now: () => number
  readonly newId: () => string
  readonly log: Log
  /** `written`: what is left to be written of it. */
  readonly onOver: (history: SessionHistory, written: Promise<unknown>) => void
}

type Wanted = Record<StoredMedium, boolean>

const media = ['message', 'chat', 'file', 'voice', 'video'] as const
const nothing = (): Wanted => ({ message: false, chat: false, file: false, voice: false, video: false })

/** What the users of a session of two keep of it, each for themselves. */
export class SessionHistory {
  readonly parties: Parties
  readonly #needs: HistoryNeeds
  readonly #invite: Headers
  readonly #begun: number
  readonly #wanted: Record<Side, Wanted> = { caller: nothing(), callee: nothing() }
  /** Whose copy has the sound as well. */
  readonly #soundWanted = new Set<Side>()
  readonly #objects: Readonly<Record<Side, KeptObjects>>
  readonly #offered = new Set<RecordedMedia>()
  #media: RecordedMedia | undefined
  #agreed: SessionFacts['agreed']
  #answeredAt: number | undefined
  #endedAt: number | undefined
  /** What is written of the session is written in turn. */
  #last: Promise<unknown> = Promise.resolve()
  /** The row of the session names what is to get its end, should this node not be there for it. */
  #onKept: () => void = () => {}

  constructor(needs: HistoryNeeds, { headers }: SipRequest, parties: Parties) {
    this.#needs = needs
    this.parties = parties
    this.#invite = headers
    this.#begun = needs.now()
    this.#objects = { caller: this.#objectsOf('caller'), callee: this.#objectsOf('callee') }
  }

  /** Asks what each of the users wants; what a request of theirs asks for (`asked`) is theirs alone. */
  async decide(side: Side, asked: boolean): Promise<void> {
    const owner = this.parties[side].subscriber?.id
    if (owner === undefined || owner === this.#ownerBefore(side)) return
    const { policy } = this.#needs
    const { aor, subscriber } = this.parties[otherSide(side)]
    const peers = subscriber?.identities ?? [aor]
    const decisions = media.map(async (medium) => {
      this.#wanted[side][medium] = await policy.stores(owner, { peers, medium, asked })
    })
    await Promise.all(decisions)
    if (asked && policy.permits('voice') && this.#wanted[side].voice) this.#soundWanted.add(side)
  }

  get contributionId(): string | undefined {
    return this.#invite.get('contribution-id')
  }

  /** Messages and sound can be kept only of what goes through the server. */
  get needsAnchor(): boolean {
    return this.#soundWanted.size > 0 || sides.some((side) => this.#wanted[side].chat || this.#wanted[side].file)
  }

  get isOver(): boolean {
    return this.#endedAt !== undefined
  }

  /** What is to get its end when the session does. */
  get kept(): readonly ObjectOfOwner[] {
    return sides.flatMap((side) => this.#objects[side].open)
  }

  /** Whose copy a message in the session has. */
  copiesOf(from: Side): Copies {
    const ownerOf = (side: Side) => (this.#wanted[side].chat ? this.parties[side].subscriber?.id : undefined)
    return { sender: ownerOf(from), recipient: ownerOf(otherSide(from)) }
  }

  /** Media that the session may have: one for each device that is called. */
  offered(offered: RecordedMedia): void {
    this.#offered.add(offered)
  }

  /** The session is established, with the media of the device that answered; `headers`: of its answer. */
  async answered(answered: object, headers: Headers, sdp: Buffer, onKept: () => void): Promise<void> {
    this.#answeredAt = this.#needs.now()
    this.#onKept = onKept
    this.#media = [...this.#offered].find((one) => one === answered)
    this.#offered.clear()
    try {
      if (asksForStorage(headers) || asksForRecording(sdp)) await this.decide('callee', true)
    } catch (err) {
      this.#needs.log.warn({ err }, 'what a callee asks for is not known')
    }
    await this.changed()
  }

  /** Something else may have been agreed on. */
  changed(): Promise<void> {
    return this.#inTurn(() => this.#begin())
  }

  async #begin(): Promise<void> {
    if (this.isOver) return
    // The media are gone by the time that the end is written.
    this.#agreed = this.#media?.agreed ?? this.#agreed
    for (const side of sides) {
      try {
        await this.#create(side, this.#facts)
        if (this.#soundWanted.has(side) && this.#media?.isAudible === true) await this.#hear(side)
      } catch (err) {
        this.#needs.log.warn({ err, side }, 'the beginning of a session is not in the history')
      }
    }
    this.#onKept()
  }

  async #create(side: Side, facts: SessionFacts): Promise<void> {
    const { chat, voice, video } = this.#wanted[side]
    const present = mediaOf(facts.agreed)
    if (chat && present.has('chat')) await this.#objects[side].session(facts)
    if ((voice && present.has('voice')) || (video && present.has('video')))
      await this.#objects[side].call(facts, 'answered')
  }

  /** REFER: from now on that party has all of it. Throws Failure where there is nothing that could be recorded. */
  record(side: Side): Promise<void> {
    return this.#inTurn(() => this.#record(side))
  }

  async #record(side: Side): Promise<void> {
    if (this.isOver) throw new Failure('not-found', 'the session is over')
    const { policy } = this.#needs
    this.#agreed = this.#media?.agreed ?? this.#agreed
    const present = mediaOf(this.#agreed)
    const anchored = this.#media?.isAnchored === true
    const texts = anchored && (['chat', 'file'] as const).some((one) => present.has(one) && policy.permits(one))
    const sound = this.#media?.isAudible === true && policy.permits('voice')
    if (!texts && !sound) throw cannot(anchored)
    if (sound) await this.#hear(side)
    const before = { ...this.#wanted[side] }
    for (const medium of ['chat', 'file'] as const) this.#wanted[side][medium] ||= policy.permits(medium)
    try {
      if (texts && present.has('chat')) await this.#objects[side].session(this.#facts)
    } catch (err) {
      Object.assign(this.#wanted[side], before)
      if (sound) await this.#deafen(side)
      throw err
    }
    this.#onKept()
  }

  /** REFER with BYE: no more for that party. What there is gets its end. */
  stop(side: Side): Promise<void> {
    this.#wanted[side] = nothing()
    this.#soundWanted.delete(side)
    const sound = this.#soundOf(side)
    const facts = { ...this.#facts, endedAt: this.#needs.now() }
    return this.#inTurn(async () => {
      try {
        await this.#objects[side].end(facts, 'answered', sound)
      } finally {
        await sound?.done()
      }
      this.#onKept()
    })
  }

  /** The session is over, however that came. */
  ended(outcome: CallOutcome, offered: ReadonlySet<string>): void {
    if (this.isOver) return
    this.#endedAt = this.#needs.now()
    const facts = this.#facts
    const sounds = { caller: this.#soundOf('caller'), callee: this.#soundOf('callee') }
    this.#media = undefined
    this.#offered.clear()
    const written = sides.map((side) =>
      this.#inTurn(() => this.#end(side, facts, this.#wantsCall(side, offered) ? outcome : 'answered', sounds[side])),
    )
    this.#needs.onOver(this, Promise.allSettled(written))
  }

  async #end(side: Side, facts: SessionFacts, outcome: CallOutcome, sound: RecordedSound | undefined): Promise<void> {
    try {
      await this.#needs.persist(async () => {
        // What could not be written when it began is now.
        if (facts.answeredAt !== undefined) await this.#create(side, facts)
        if (outcome !== 'answered') await this.#objects[side].call(facts, outcome)
        await this.#objects[side].end(facts, outcome, sound)
      })
    } catch (err) {
      this.#needs.log.warn({ err, side }, 'the end of a session is not in the history')
    } finally {
      await sound?.done()
    }
  }

  keepsMessages(): boolean {
    return !this.isOver && sides.some((side) => this.#wanted[side].chat)
  }

  keepsFiles(): boolean {
    return !this.isOver && sides.some((side) => this.#wanted[side].file)
  }

  /** Resolves once the message is safe. */
  async message(from: Side, message: SaidMessage): Promise<void> {
    const [sender, recipient] = [this.parties[from], this.parties[otherSide(from)].aor]
    await this.#needs.keep({ chat: this.#invite, sender, recipient, message }, this.copiesOf(from))
  }

  file(from: Side, file: PassingFile): FileCopies {
    const owners = sides.flatMap((side) => {
      const owner = this.parties[side].subscriber?.id
      return owner !== undefined && this.#wanted[side].file ? { side, owner } : []
    })
    return new FileCopies(this.#needs, { from, file, facts: this.#facts, owners })
  }

  #objectsOf(side: Side): KeptObjects {
    const { mailboxes, newId } = this.#needs
    return new KeptObjects({ mailboxes, newId, side, owner: this.parties[side].subscriber?.id })
  }

  /** Who speaks with themselves has one copy. */
  #ownerBefore(side: Side): number | undefined {
    return side === 'callee' ? this.parties.caller.subscriber?.id : undefined
  }

  /** A call that nobody has answered. */
  #wantsCall(side: Side, offered: ReadonlySet<string>): boolean {
    if (this.#answeredAt !== undefined) return false
    return (['voice', 'video'] as const).some((medium) => offered.has(medium) && this.#wanted[side][medium])
  }

  async #hear(side: Side): Promise<void> {
    if (this.#media === undefined || this.#needs.sounds.has(this, side)) return
    this.#media.hear(this.#needs.sounds.begin(this, side))
    try {
      await this.#objects[side].call(this.#facts, 'answered')
    } catch (err) {
      await this.#deafen(side)
      throw err
    }
  }

  async #deafen(side: Side): Promise<void> {
    await this.#needs.sounds.discard(this, side)
    this.#media?.hear(this.#needs.sounds.tapOf(this))
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  #soundOf(side: Side): RecordedSound | undefined {
    if (!this.#needs.sounds.has(this, side)) return undefined
    const sound = this.#needs.sounds.end(this, side)
    this.#media?.hear(this.#needs.sounds.tapOf(this))
    return sound
  }

  get #facts(): SessionFacts {
    return {
      invite: this.#invite,
      parties: this.parties,
      begun: this.#begun,
      answeredAt: this.#answeredAt,
      endedAt: this.#endedAt,
      agreed: this.#agreed,
    }
  }
}

const cannot = (anchored: boolean): Failure =>
  new Failure('not-acceptable', 'nothing can be recorded', {
    warnings: [
      {
        code: 399,
        text: anchored
          ? 'What is in this session cannot be recorded: no chat, no file, no G.711 in the clear through the embedded relay'
          : 'The media of this session do not go through the server',
      },
    ],
  })
