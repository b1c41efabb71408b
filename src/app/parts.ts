import type { AddressRanges } from '../config/address-ranges.ts'
import type { Config } from '../config/config.ts'
import type { Database } from '../database/index.ts'
import type { Mailboxes } from '../enablers/message-store/index.ts'
import type { Usage } from '../media/msrp/index.ts'
import type { Alarms, Log, Metrics } from '../operations/index.ts'
import { readUri } from '../protocols/sip/uri.ts'
import type { Barred, Bindings } from '../signalling/registrar/index.ts'
import type { Subscribers } from '../signalling/subscribers/index.ts'

/** What all are built on. */
export interface Parts {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly alarms: Alarms
  readonly database: Database
  readonly subscribers: Subscribers
  readonly bindings: Bindings
  readonly barred: Barred
  readonly mailboxes: Mailboxes
}

/** How much of a bounded resource is taken, was taken at the most, and there is. */
export function useMetrics(
  metrics: Metrics,
  name: string,
  help: string,
  usage: Pick<Usage, 'inUse' | 'peak' | 'limit'>,
): void {
  metrics.gauge(`parley_${name}`, `${help} in use`, () => usage.inUse)
  metrics.gauge(`parley_${name}_peak`, `${help} in use at the most`, () => usage.peak)
  metrics.gauge(`parley_${name}_limit`, `${help} that there may be`, () => usage.limit)
}

/** The next hop for a domain is a trusted peer: it may see identities that are private (RFC 3325 §5). */
export function isTrustedPeer(host: string, { sip }: Config, peers: AddressRanges): boolean {
  const route = sip.routes.find(({ domain }) => domain === host)
  return peers.includes(route === undefined ? host : readUri(route.uri).host.replace(/^\[|\]$/g, ''))
}
