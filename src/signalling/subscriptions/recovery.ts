import { randomBytes } from 'node:crypto'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { readUri, sameUri } from '../../protocols/sip/uri.ts'
import { writeSubscriptionFailure } from '../../protocols/subscription-failure/subscription-failure.ts'
import type { Sending, Target } from '../edge/sip-port.ts'
import type { NotifyFailure, Subscription } from './subscription.ts'

/** A live binding of the user whose subscription failed. */
interface Binding {
  readonly owner: number
  readonly key: string
  readonly device: string
  readonly contact: string
  readonly path: readonly string[]
  readonly flow: string
  readonly regId: number
  /** Of the registration: another one begins a new count. */
  readonly callId: string
}

export interface RecoveryPolicy {
  /** MESSAGEs about lost subscriptions during one registration; the one that would be more is the threshold. */
  readonly threshold: number
  readonly onThreshold: 'sign-out' | 'drop' | 'bar'
  /** Milliseconds that a user is barred for. */
  readonly barFor: number
}

/** Something that an administrator has to know. */
export interface Alarm {
  readonly kind: 'subscriptions-lost'
  /** The user. */
  readonly subject: string
  readonly text: string
}

export interface RecoveryNeeds {
  readonly policy: RecoveryPolicy
  readonly domain: string
  readonly now: () => number
  readonly bindingsOf: (owner: number) => readonly Binding[] | Promise<readonly Binding[]>
  readonly dropBinding: (owner: number, key: string) => Promise<void>
  /** The user may not register until then. */
  readonly bar: (owner: number, until: number) => void
  readonly send: (request: SipRequest, target: Target) => Sending
  readonly alarm: (alarm: Alarm) => void
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

interface Count {
  /** Of which registration. */
  readonly callId: string
  messages: number
}

/** Bindings that are counted for. */
const mostCounted = 100_000

/** A client whose subscription was lost is told, so that it subscribes again; not for ever (spec/5). */
export class Recovery {
  readonly #needs: RecoveryNeeds
  readonly #counts = new Map<string, Count>()

  constructor(needs: RecoveryNeeds) {
    this.#needs = needs
  }

  /** A NOTIFY was not taken. The message goes to the instance that subscribed, if it is there; it is never kept. */
  async lost(subscription: Subscription, failure: NotifyFailure): Promise<void> {
    const { owner } = subscription
    if (owner === undefined) return
    const binding = bindingOf(subscription, await this.#needs.bindingsOf(owner))
    if (binding === undefined) return
    const count = this.#countOf(binding)
    if (count.messages >= this.#needs.policy.threshold) {
      await this.#atThreshold(subscription, binding)
      return
    }
    count.messages++
    this.#tell(subscription, failure, binding)
  }

  #tell(subscription: Subscription, failure: NotifyFailure, binding: Binding): void {
    const { domain, now, send, log } = this.#needs
    const { contentType, content } = writeSubscriptionFailure({
      package: subscription.package,
      resource: subscription.resource,
      status: failure.status,
      answered: !failure.local,
      at: now(),
    })
    const headers = new Headers([
      ['Max-Forwards', '70'],
      ['From', `<sip:${domain}>;tag=${randomBytes(8).toString('hex')}`],
      ['To', `<${subscription.subscriber}>`],
      ['Call-ID', randomBytes(16).toString('hex')],
      ['CSeq', '1 MESSAGE'],
      ...binding.path.map((hop) => ['Route', hop] as const),
      ['Content-Type', contentType],
    ])
    const { flow, regId } = binding
    const target = flow === '' ? {} : { flow, flowOnly: regId > 0 }
    log.info(
      { aor: subscription.subscriber, event: subscription.package, device: binding.device },
      'told of a lost subscription',
    )
    send(new SipRequest('MESSAGE', binding.contact, headers, content), target)
  }

  async #atThreshold(subscription: Subscription, binding: Binding): Promise<void> {
    const { policy, now, bar, alarm, log, dropBinding } = this.#needs
    const { owner, key, device } = binding
    this.#counts.delete(idOf(binding))
    log.warn({ aor: subscription.subscriber, device, action: policy.onThreshold }, 'too many subscriptions were lost')
    alarm({
      kind: 'subscriptions-lost',
      subject: subscription.subscriber,
      text: `${policy.threshold} subscriptions of ${device} were lost during one registration: ${policy.onThreshold}`,
    })
    if (policy.onThreshold === 'drop') return
    if (policy.onThreshold === 'bar') bar(owner, now() + policy.barFor)
    await dropBinding(owner, key)
  }

  /** Starts again with each registration. */
  #countOf(binding: Binding): Count {
    const id = idOf(binding)
    const known = this.#counts.get(id)
    if (known?.callId === binding.callId) return known
    const count = { callId: binding.callId, messages: 0 }
    this.#counts.delete(id)
    this.#counts.set(id, count)
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > mostCounted && oldest !== undefined) this.#counts.delete(oldest)
    return count
  }
}

const idOf = ({ owner, key }: Binding): string => `${owner} ${key}`

/** The binding of the instance that subscribed: over the same flow, else with the same contact. */
function bindingOf({ dialog }: Subscription, bindings: readonly Binding[]): Binding | undefined {
  return (
    bindings.find(({ flow }) => flow !== '' && flow === dialog.flow) ??
    bindings.find(({ contact }) => sameUri(readUri(contact), readUri(dialog.remoteTarget)))
  )
}
