import { Failure } from '../../failure.ts'
import { type Event, readEvent } from '../../protocols/sip/event.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import type { FinalResponse, Sending, Target } from '../edge/sip-port.ts'
import type { EventPackage, NotifyBody, SubscriptionState, Watcher } from './event-package.ts'
import { isPassing } from './is-passing.ts'

/** The dialog, and what came with the request that made it: plain JSON, so that it can be a row. */
export interface SubscriptionDialog {
  readonly callId: string
  /** From and To of the NOTIFY, with their tags. */
  readonly local: string
  readonly remote: string
  readonly localTag: string
  readonly remoteTag: string
  remoteTarget: string
  readonly routeSet: readonly string[]
  flow: string
  /** The transport by which the server is named in Contact. */
  readonly contact: string
  localSeq: number
  remoteSeq: number
}

export interface SubscriptionFields {
  readonly id: string
  readonly resource: string
  readonly subscriber: string
  readonly owner: number | undefined
  readonly anonymous: boolean
  readonly userAgent: string
  readonly eventText: string
  readonly accept: readonly string[]
  readonly supported: readonly string[]
  readonly body: Watcher['body']
  readonly dialog: SubscriptionDialog
  state: SubscriptionState
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** RFC 6665 §4.1.3. */
export type EndReason = 'timeout' | 'rejected' | 'deactivated' | 'giveup' | 'noresource' | 'probation'

/** How a NOTIFY failed: no answer, or one that is no 2xx. */
export interface NotifyFailure {
  readonly status: number
  readonly local: boolean
}

export interface SubscriptionNeeds {
  readonly package: EventPackage
  readonly send: (request: SipRequest, target: Target) => Sending
  readonly now: () => number
  /** The dialog is over: the peer did not take a NOTIFY, or the last one is answered. */
  readonly onOver: (subscription: Subscription, failure: NotifyFailure | undefined) => void
  readonly onBug: (err: unknown) => void
}

/** Longest time that Retry-After of a refused NOTIFY is waited for, in seconds. */
const longestRetry = 60
/** Where what is watched could not be asked: seconds until it is asked again. */
const usualRetry = 5

/** A subscription as the notifier has it (RFC 6665 §4.2): one NOTIFY under way, each with the newest state. */
export class Subscription implements Watcher {
  readonly id: string
  readonly resource: string
  readonly subscriber: string
  readonly owner: number | undefined
  readonly anonymous: boolean
  readonly userAgent: string
  readonly eventText: string
  readonly accept: readonly string[]
  readonly supported: readonly string[]
  readonly dialog: SubscriptionDialog
  body: Watcher['body']
  expiresAt: number
  /** Of a list: what is watched through it. */
  members: readonly string[] = []
  readonly #needs: SubscriptionNeeds
  readonly #event: Event
  #state: SubscriptionState
  #ending: EndReason | undefined
  #sending: Sending | undefined
  #working = false
  #dirty = false
  #retried = false
  /** Whether the package was asked in this life of the server; until then nothing is told. */
  #authorised = false
  #sequence: number
  #body: NotifyBody | undefined
  /** What was refused for now goes out once more as it was. */
  #again = false
  #lastSent = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #over = false

  constructor(needs: SubscriptionNeeds, fields: SubscriptionFields) {
    this.#needs = needs
    this.id = fields.id
    this.resource = fields.resource
    this.subscriber = fields.subscriber
    this.owner = fields.owner
    this.anonymous = fields.anonymous
    this.userAgent = fields.userAgent
    this.eventText = fields.eventText
    this.accept = fields.accept
    this.supported = fields.supported
    this.body = fields.body
    this.dialog = fields.dialog
    this.expiresAt = fields.expiresAt
    this.#state = fields.state
    this.#event = readEvent(fields.eventText)
    this.#sequence = fields.dialog.localSeq
  }

  get package(): string {
    return this.#needs.package.name
  }

  get event(): Event {
    return this.#event
  }

  get eventParams() {
    return this.#event.params
  }

  get state(): SubscriptionState {
    return this.#state
  }

  get sequence(): number {
    return this.#sequence
  }

  /** All whose state is told. */
  get resources(): readonly string[] {
    return this.members.length === 0 ? [this.resource] : this.members
  }

  /** pending becomes active, or the other way round. Returns whether that is a change. */
  allow(state: 'active' | 'pending'): boolean {
    this.#authorised = true
    if (this.#state === 'terminated' || this.#state === state) return false
    this.#state = state
    return true
  }

  /** There is something to tell. `now`: it is the answer to a request, and waits for nothing but the NOTIFY under way. */
  notify(now = false): void {
    if (this.#over || (!this.#authorised && this.#state !== 'terminated')) return
    this.#dirty = true
    if (now) this.#lastSent = Number.NEGATIVE_INFINITY
    this.#next()
  }

  /** The last NOTIFY says why. Called again, the first reason stays. */
  end(reason: EndReason): void {
    if (this.#state === 'terminated') return
    this.#state = 'terminated'
    this.#ending = reason
    this.notify(true)
  }

  /** Lets go of everything at once, without a word. */
  drop(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#sending?.abandon()
  }

  #next(): void {
    if (this.#working || !this.#dirty || this.#over) return
    const wait = this.#lastSent + this.#needs.package.interval - this.#needs.now()
    clearTimeout(this.#timer)
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#next(), wait)
      return
    }
    this.#working = true
    this.#dirty = false
    this.#lastSent = this.#needs.now()
    this.#send().then(
      (final) => this.#answered(final),
      (err) => this.#unmade(err),
    )
  }

  async #send(): Promise<FinalResponse | undefined> {
    if (!this.#again) this.#body = await this.#newBody()
    this.#again = false
    if (this.#over) return undefined
    const request = this.#request(this.#body)
    const { flow, remoteTarget, routeSet } = this.dialog
    const target =
      routeSet.length > 0 ? { ...(flow !== '' && { flow }) } : { ...(flow !== '' && { flow }), uri: remoteTarget }
    this.#sending = this.#needs.send(request, target)
    return await this.#sending.final
  }

  /** Who is not allowed to know, or not any more, is told no state. */
  async #newBody(): Promise<NotifyBody | undefined> {
    if (!this.#authorised || this.#ending === 'rejected' || this.#ending === 'noresource') return undefined
    const body = await this.#needs.package.notification(this)
    this.#sequence++
    return body
  }

  /** What is watched is gone, or for now cannot be asked. */
  #unmade(err: unknown): void {
    this.#working = false
    if (this.#over) return
    if (!(err instanceof Failure)) {
      this.#needs.onBug(err)
      this.#finish({ status: 500, local: true })
    } else if (isPassing(err)) this.#wait(err.retryAfter ?? usualRetry)
    else {
      this.#state = 'terminated'
      this.#ending = 'noresource'
      this.notify(true)
    }
  }

  #answered(final: FinalResponse | undefined): void {
    this.#sending = undefined
    this.#working = false
    if (this.#over || final === undefined) return
    const { response, local } = final
    if (response.status >= 200 && response.status < 300) {
      this.#retried = false
      this.#body = undefined
      if (this.#state === 'terminated' && !this.#dirty) this.#finish(undefined)
      else this.#next()
      return
    }
    const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
    if (!local && retryAfter >= 0 && !this.#retried) this.#retry(retryAfter)
    else this.#finish({ status: response.status, local })
  }

  /** RFC 6665 §4.2.2: a refusal with Retry-After is not the end; it is honoured once. */
  #retry(seconds: number): void {
    this.#retried = true
    this.#again = this.#state !== 'terminated'
    this.#wait(seconds)
  }

  #wait(seconds: number): void {
    this.#dirty = true
    this.#working = true
    this.#timer = setTimeout(() => {
      this.#working = false
      this.#lastSent = Number.NEGATIVE_INFINITY
      this.#next()
    }, Math.min(seconds, longestRetry) * 1_000)
  }

  #finish(failure: NotifyFailure | undefined): void {
    if (this.#over) return
    this.drop()
    this.#needs.onOver(this, failure)
  }

  #request(body: NotifyBody | undefined): SipRequest {
    const { dialog } = this
    dialog.localSeq++
    const headers = new Headers([
      ['Max-Forwards', '70'],
      ['From', dialog.local],
      ['To', dialog.remote],
      ['Call-ID', dialog.callId],
      ['CSeq', `${dialog.localSeq} NOTIFY`],
      ...dialog.routeSet.map((hop) => ['Route', hop] as const),
      ['Contact', dialog.contact],
      ['Event', this.eventText],
      ['Subscription-State', this.#stateText()],
      ...(body?.require === undefined ? [] : [['Require', body.require] as const]),
      ...(body === undefined ? [] : [['Content-Type', body.contentType] as const]),
    ])
    return new SipRequest('NOTIFY', dialog.remoteTarget, headers, body?.content ?? Buffer.alloc(0))
  }

  #stateText(): string {
    if (this.#state === 'terminated') return `terminated;reason=${this.#ending ?? 'timeout'}`
    const left = Math.max(0, Math.round((this.expiresAt - this.#needs.now()) / 1_000))
    return `${this.#state};expires=${left}`
  }
}
