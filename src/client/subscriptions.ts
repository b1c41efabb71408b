import { MalformedMime } from '../protocols/mime/malformed-mime.ts'
import type { SipRequest, SipResponse } from '../protocols/sip/message.ts'
import { readNameAddr } from '../protocols/sip/name-addr.ts'
import { MalformedSubscriptionFailure } from '../protocols/subscription-failure/malformed-subscription-failure.ts'
import {
  readSubscriptionFailure,
  type SubscriptionFailure,
} from '../protocols/subscription-failure/subscription-failure.ts'
import type { Requests } from './requests.ts'
import { type Subscribing, Subscription } from './subscription.ts'

interface Needs {
  readonly requests: Pick<Requests, 'make' | 'send'>
  readonly contact: () => string
  /** Of the server, which alone tells that a subscription was lost. */
  readonly domain: string
}

/** What the client is told of. */
export class Subscriptions {
  readonly #needs: Needs
  readonly #all = new Set<Subscription>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Subscribes; where that is accepted it lasts until `stop`. */
  async open(asked: Subscribing): Promise<{ readonly response: SipResponse; readonly stop: () => Promise<void> }> {
    const subscription = new Subscription(this.#needs, {
      ...asked,
      onEnded: (reason) => {
        this.#all.delete(subscription)
        asked.onEnded?.(reason)
      },
    })
    this.#all.add(subscription)
    const response = await subscription.start()
    if (response.status >= 300) this.#all.delete(subscription)
    const stop = async () => {
      await subscription.stop()
      this.#all.delete(subscription)
    }
    return { response, stop }
  }

  /** The status for a NOTIFY. */
  handleNotify(request: SipRequest): number {
    const callId = request.headers.get('call-id')
    const its = [...this.#all].find((one) => one.callId === callId)
    return its === undefined ? 481 : its.handleNotify(request)
  }

  /** Whether a MESSAGE says that a subscription was lost; it is then made once more. */
  handleMessage({ headers, body }: SipRequest): boolean {
    if (readNameAddr(headers.get('from') ?? '').uri !== `sip:${this.#needs.domain}`) return false
    const lost = readQuietly(headers.get('content-type') ?? '', body)
    if (lost === undefined) return false
    for (const one of this.#all) if (one.isTo(lost.package, lost.resource)) one.again()
    return true
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((one) => one.stop()))
    this.#all.clear()
  }
}

function readQuietly(contentType: string, body: Buffer): SubscriptionFailure | undefined {
  try {
    return readSubscriptionFailure(contentType, body)
  } catch (err) {
    if (err instanceof MalformedSubscriptionFailure || err instanceof MalformedMime) return undefined
    throw err
  }
}
