import { randomUUID } from 'node:crypto'
import { addressOfRecord } from '../protocols/sip/address-of-record.ts'
import type { SipRequest, SipResponse } from '../protocols/sip/message.ts'
import { readNameAddr } from '../protocols/sip/name-addr.ts'
import { type Params, readParams } from '../protocols/sip/params.ts'
import type { Requests } from './requests.ts'

/** What is to be told (RFC 6665 §4.1): an event package, such as `presence`, of a resource. */
export interface Subscribing {
  readonly event: string
  readonly resource: string
  readonly accept?: string
  /** Seconds. */
  readonly expires?: number
  /** Such as a list of resources, with `eventlist` in `supported`. */
  readonly body?: { readonly contentType: string; readonly content: Buffer }
  readonly supported?: string
  onNotified(notification: Notification): void
  /** There is no more to come, and why. */
  onEnded?(reason: string): void
}

export interface Notification {
  readonly state: 'active' | 'pending' | 'terminated'
  readonly contentType: string
  readonly body: Buffer
}

interface Needs {
  readonly requests: Pick<Requests, 'make' | 'send'>
  readonly contact: () => string
}

/** The dialog, as far as the server has told of it. */
interface Dialog {
  readonly callId: string
  to?: string
  target?: string
  routes: readonly string[]
}

const usualExpires = 3_600
const firstRetryMs = 1_000
const longestRetryMs = 60_000
/** Reasons for which there is no use in trying again (RFC 6665 §4.1.3). */
const final = new Set(['rejected', 'noresource', 'invariant'])

/** A subscription of the client: refreshed before it ends, made anew when it was lost. */
export class Subscription {
  readonly #needs: Needs
  readonly #asked: Subscribing
  #dialog = newDialog()
  #timer: NodeJS.Timeout | undefined
  #retryMs = firstRetryMs
  #wanted = true

  constructor(needs: Needs, asked: Subscribing) {
    this.#needs = needs
    this.#asked = asked
  }

  get callId(): string {
    return this.#dialog.callId
  }

  isTo(event: string, resource: string): boolean {
    return event === this.#asked.event && addressOfRecord(resource) === addressOfRecord(this.#asked.resource)
  }

  async start(): Promise<SipResponse> {
    const response = await this.#subscribe(this.#asked.expires ?? usualExpires)
    if (response.status >= 300) this.#wanted = false
    return response
  }

  /** It was lost: in a new dialog once more. */
  again(): void {
    if (!this.#wanted) return
    this.#dialog = newDialog()
    this.#schedule(0)
  }

  /** The status for a NOTIFY of its dialog. */
  handleNotify({ headers, body }: SipRequest): number {
    const from = headers.get('from') ?? ''
    if (this.#dialog.to !== undefined && tagOf(from) !== tagOf(this.#dialog.to)) return 481
    const value = headers.get('subscription-state') ?? ''
    const state = (value.split(';', 1)[0] as string).trim().toLowerCase()
    if (state !== 'active' && state !== 'pending' && state !== 'terminated') return 400
    this.#asked.onNotified({ state, contentType: headers.get('content-type') ?? '', body })
    if (state === 'terminated') this.#terminated(value)
    return 200
  }

  /** Resolves when the server has answered, or was given up. */
  async stop(): Promise<void> {
    if (!this.#wanted) return
    this.#wanted = false
    clearTimeout(this.#timer)
    if (this.#dialog.to !== undefined) await this.#subscribe(0)
  }

  #terminated(value: string): void {
    clearTimeout(this.#timer)
    if (!this.#wanted) return
    const params = paramsOf(value)
    const reason = params.get('reason') ?? 'timeout'
    if (final.has(reason)) {
      this.#wanted = false
      this.#asked.onEnded?.(reason)
      return
    }
    this.#dialog = newDialog()
    this.#schedule(Math.max(firstRetryMs, 1_000 * Number(params.get('retry-after') ?? 0) || 0))
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#refresh(), ms)
  }

  async #refresh(): Promise<void> {
    if (!this.#wanted) return
    const { status } = await this.#subscribe(this.#asked.expires ?? usualExpires)
    if (!this.#wanted || status < 300) return
    if (status === 403 || status === 404 || status === 489) {
      this.#wanted = false
      this.#asked.onEnded?.(String(status))
      return
    }
    this.#dialog = newDialog()
    this.#schedule(status === 481 ? 0 : this.#retryMs)
    this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs)
  }

  async #subscribe(expires: number): Promise<SipResponse> {
    const dialog = this.#dialog
    const response = await this.#needs.requests.send(this.#request(dialog, expires))
    if (response.status >= 200 && response.status < 300) this.#accepted(dialog, response, expires)
    return response
  }

  #request(dialog: Dialog, expires: number): SipRequest {
    const { event, resource, accept, body, supported } = this.#asked
    const { requests, contact } = this.#needs
    const request = requests.make('SUBSCRIBE', dialog.target ?? resource, resource, dialog.callId, body?.content)
    const { headers } = request
    if (dialog.to !== undefined) headers.set('To', dialog.to)
    for (const route of dialog.routes) headers.add('Route', route)
    headers.add('Event', event)
    headers.add('Contact', `<${contact()}>`)
    headers.add('Expires', String(expires))
    if (accept !== undefined) headers.add('Accept', accept)
    if (supported !== undefined) headers.add('Supported', supported)
    if (body !== undefined) headers.add('Content-Type', body.contentType)
    return request
  }

  #accepted(dialog: Dialog, { headers }: SipResponse, asked: number): void {
    this.#retryMs = firstRetryMs
    const contact = headers.get('contact')
    if (contact !== undefined) dialog.target = readNameAddr(contact).uri
    if (dialog.to === undefined) dialog.routes = headers.all('record-route').toReversed()
    dialog.to = headers.get('to') ?? ''
    const granted = Number(headers.get('expires') ?? asked)
    if (this.#wanted && dialog === this.#dialog) this.#schedule(Math.max(1, granted * 0.8) * 1_000)
  }
}

const paramsOf = (value: string): Params => (value.includes(';') ? readParams(value, value.indexOf(';')) : new Map())
const newDialog = (): Dialog => ({ callId: randomUUID(), routes: [] })
const tagOf = (value: string): string | undefined => readNameAddr(value).params.get('tag')
