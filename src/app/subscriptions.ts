import type { Nodes } from '../database/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import { RegistrationPackage } from '../signalling/registrar/index.ts'
import { Recovery, Subscriptions } from '../signalling/subscriptions/index.ts'
import { type Parts, useMetrics } from './parts.ts'
import type { Started } from './started.ts'

const bodyBytes = 65_536

/** The notifier of all event packages, which register with it, and what is done about subscriptions that are lost. */
export function buildSubscriptions(
  { config, log, metrics, alarms, database, subscribers, bindings, barred }: Parts,
  { edge, nodes }: { readonly edge: SipEdge; readonly nodes: Nodes },
  started: Started,
): Subscriptions {
  const part = log.child({ part: 'subscriptions' })
  const recovery = new Recovery({
    policy: config.subscriptions.recovery,
    domain: config.domain,
    now: Date.now,
    bindingsOf: (owner) => bindings.of(owner),
    dropBinding: (owner, key) => bindings.drop(owner, key),
    bar: (owner, until) => barred.add(owner, until),
    send: (request, target) => edge.send(request, target),
    alarm: (alarm) => alarms.raise(alarm),
    log: part,
  })
  const subscriptions = new Subscriptions({
    database,
    node: nodes.id,
    now: Date.now,
    send: (request, target) => edge.send(request, target),
    ownUri: (transport) => edge.ownUri(transport),
    limits: {
      subscriptions: config.subscriptions.most,
      ofUser: config.subscriptions.ofUser,
      members: config.subscriptions.listMembers,
      minExpires: config.subscriptions.minExpires,
      bodyBytes,
    },
    onLost: (lost, failure) => {
      recovery.lost(lost, failure).catch((err) => part.warn({ err }, 'a lost subscription was not told of'))
    },
    onBatch: (size) => metrics.batch('subscriptions', size),
    log: part,
  })
  started.add(() => subscriptions.close())
  const subscriberOf = (aor: string) => subscribers.find(aor)
  const bindingsOf = (owner: number) => bindings.of(owner)
  subscriptions.register(new RegistrationPackage({ subscriberOf, bindingsOf, now: Date.now }))
  started.add(bindings.onChanged((owner) => void tellRegistration(owner)))
  const tellRegistration = async (owner: number) => {
    try {
      const subscriber = await subscribers.byId(owner)
      for (const identity of subscriber?.identities ?? []) subscriptions.changedHere('reg', identity)
    } catch (err) {
      part.warn({ err, owner }, 'a registration was not told of')
    }
  }
  useMetrics(metrics, 'subscriptions', 'Subscriptions', subscriptions)
  return subscriptions
}
