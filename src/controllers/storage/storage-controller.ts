import { Failure } from '../../failure.ts'
import { asksForRecording, asksForStorage } from '../../protocols/cpm/storage-request.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readReferTo } from '../../protocols/sip/refer-to.ts'
import { writeUri } from '../../protocols/sip/uri.ts'
import type { ObjectOfOwner } from './kept-objects.ts'
import type { Parties, Party, Side } from './needs.ts'
import { sides } from './needs.ts'
import { persistently } from './persistently.ts'
import { type NamedDialog, type ReferRequest, readRefer } from './refer-request.ts'
import { dialogOf, type Fields, type Notify, ReferSubscription } from './refer-subscription.ts'
import { type HistoryNeeds, SessionHistory } from './session-history.ts'

export interface Reply {
  readonly status: number
  readonly reason?: string
  readonly toTag?: string
  readonly headers?: Fields
}

export interface Source {
  readonly flow: string
  readonly transport: string
}

export interface ReferService {
  readonly message: SipRequest
  readonly source: Source
  readonly sender: Party
}

/** A REFER in the dialog of a session. */
export interface ReferInSession {
  readonly message: SipRequest
  readonly side: Side
  readonly history: SessionHistory
  /** A request in the same dialog; resolves with its status. */
  readonly request: (method: string, content: Notify) => Promise<number>
}

export interface StorageNeeds extends Omit<HistoryNeeds, 'onOver' | 'persist'> {
  /** Canonical address of the storage controller. */
  readonly address: string
  readonly addressOf: (uri: string) => string | undefined
  /** The session of a dialog. */
  readonly historyOf: (dialog: NamedDialog) => SessionHistory | undefined
  readonly ownUri: (transport: string) => string
  /** Resolves with the status. */
  readonly send: (request: SipRequest, flow: string) => Promise<number>
}

/** Keeps the history of sessions for their users, and records what they ask for (spec/1 §2, §4.5). */
export class StorageController {
  readonly #needs: StorageNeeds
  /** By Contribution-ID, which clients choose: several may have the same. */
  readonly #sessions = new Map<string, Set<SessionHistory>>()
  readonly #writing = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(needs: StorageNeeds) {
    this.#needs = needs
  }

  /** Canonical address of this controller. */
  get address(): string {
    return this.#needs.address
  }

  /** A session that is to begin; what its users keep of it is decided. */
  async begin(invite: SipRequest, sdp: Buffer, parties: Parties): Promise<SessionHistory> {
    const onOver = (over: SessionHistory, written: Promise<unknown>) => this.#over(over, written)
    const persist = (work: () => Promise<void>) => persistently(work, this.#closing.signal)
    const history = new SessionHistory({ ...this.#needs, onOver, persist }, invite, parties)
    await history.decide('caller', asksForStorage(invite.headers) || asksForRecording(sdp))
    await history.decide('callee', false)
    const { contributionId } = history
    if (contributionId !== undefined) {
      const same = this.#sessions.get(contributionId)
      if (same === undefined) this.#sessions.set(contributionId, new Set([history]))
      else same.add(history)
    }
    return history
  }

  /** The sessions of another node are over: what it has left without an end gets one. */
  async abandoned(kept: readonly ObjectOfOwner[]): Promise<void> {
    const { mailboxes, now, log } = this.#needs
    const attributes = { 'Session-End': [new Date(now()).toISOString()] }
    for (const { owner, id } of kept) {
      await mailboxes.update(owner, id, { attributes }).catch((err) => {
        log.warn({ err, owner, id }, 'a session that broke off has no end in the history')
      })
    }
  }

  /** A REFER outside of any dialog, addressed to this controller. */
  async handleRefer({ message, source, sender }: ReferService): Promise<Reply> {
    const refer = readRefer(message)
    const { history, side } = this.#sessionFor(refer, sender)
    const dialog = refer.subscribes ? dialogOf(message, this.#needs.ownUri(source.transport)) : undefined
    await this.#do(refer, history, side)
    if (dialog === undefined) return unsubscribed
    const send = async (notify: Notify) => isTaken(await this.#needs.send(dialog.request(notify), source.flow))
    this.#tell(new ReferSubscription(send))
    const headers: Fields = [
      ...message.headers.all('record-route').map((value) => ['Record-Route', value] as const),
      ['Contact', `<${this.#needs.ownUri(source.transport)}>`],
    ]
    return { status: 202, toTag: dialog.localTag, headers }
  }

  /** Whether a REFER in the dialog of a session is for this controller, and not for the other party. */
  takesRefer({ headers }: SipRequest): boolean {
    const values = headers.all('refer-to')
    try {
      return this.#isOwn(readReferTo(values))
    } catch (err) {
      if (err instanceof MalformedSip) return false
      throw err
    }
  }

  async handleReferInSession({ message, side, history, request }: ReferInSession): Promise<Reply> {
    const refer = readRefer(message)
    const isOther = refer.dialog !== undefined || refer.contributionId !== undefined
    const named = isOther ? this.#sessionFor(refer, history.parties[side]) : { history, side }
    await this.#do(refer, named.history, named.side)
    if (!refer.subscribes) return unsubscribed
    const send = async (notify: Notify) => isTaken(await request('NOTIFY', notify))
    this.#tell(new ReferSubscription(send, String(Number.parseInt(message.headers.get('cseq') ?? '0', 10))))
    return { status: 202 }
  }

  /** Resolves when what is over is written, or cannot be now. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#writing)
  }

  #isOwn({ uri }: ReferRequest['to']): boolean {
    return this.#needs.addressOf(writeUri({ ...uri, params: new Map(), headers: '' })) === this.#needs.address
  }

  /** The session that is named, and which of its parties has sent the request: nobody else records it. */
  #sessionFor(refer: ReferRequest, sender: Party): { readonly history: SessionHistory; readonly side: Side } {
    const named = this.#named(refer)
    for (const history of named) {
      const side = sides.find((one) => isSameUser(history.parties[one], sender))
      if (side !== undefined) return { history, side }
    }
    throw new Failure('forbidden', 'a session of others')
  }

  #named({ dialog, contributionId }: ReferRequest): readonly SessionHistory[] {
    if (dialog !== undefined) {
      const history = this.#needs.historyOf(dialog)
      if (history === undefined || history.isOver) throw new MalformedSip('Call/Transaction Does Not Exist', 481)
      return [history]
    }
    if (contributionId === undefined) throw new MalformedSip('the REFER names no session')
    const sessions = [...(this.#sessions.get(contributionId) ?? [])]
    if (sessions.length === 0) throw new Failure('not-found', 'no such session')
    return sessions.reverse()
  }

  async #do({ asks }: ReferRequest, history: SessionHistory, side: Side): Promise<void> {
    await (asks === 'record' ? history.record(side) : history.stop(side))
    this.#needs.log.info({ asks, aor: history.parties[side].aor }, 'a session is recorded, or is not any more')
  }

  #tell(subscription: ReferSubscription): void {
    subscription.trying()
    subscription.done(200, 'OK')
  }

  #over(history: SessionHistory, written: Promise<unknown>): void {
    const { contributionId = '' } = history
    const same = this.#sessions.get(contributionId)
    same?.delete(history)
    if (same?.size === 0) this.#sessions.delete(contributionId)
    this.#writing.add(written)
    void written.finally(() => this.#writing.delete(written))
  }
}

/** RFC 4488 §4. */
const unsubscribed: Reply = { status: 200, headers: [['Refer-Sub', 'false']] }

const isTaken = (status: number): boolean => status >= 200 && status < 300

const isSameUser = ({ subscriber }: Party, sender: Party): boolean =>
  subscriber !== undefined && subscriber.id === sender.subscriber?.id
