import type { Checked } from '../../src/protocols/sip/check-request.ts'
import { SipRequest, type SipResponse } from '../../src/protocols/sip/message.ts'
import type { ListeningAddress, Target, Transport } from '../../src/sip/addresses.ts'
import { hostPort } from '../../src/sip/addresses.ts'
import { ClientCore } from '../../src/sip/client-core.ts'
import { noCounters } from '../../src/sip/counters.ts'
import { DnsCache } from '../../src/sip/dns-cache.ts'
import { Identifiers } from '../../src/sip/identifiers.ts'
import type { ServerTransaction } from '../../src/sip/inbound-request.ts'
import { defaultLimits } from '../../src/sip/limits.ts'
import type { ClientTransaction, OnFinal, OnProvisional } from '../../src/sip/outbound-request.ts'
import { OwnAddresses } from '../../src/sip/own-addresses.ts'
import { Resolver } from '../../src/sip/resolver.ts'
import { ServerCore } from '../../src/sip/server-core.ts'
import { Sources } from '../../src/sip/sources.ts'
import { TimerWheel } from '../../src/sip/timer-wheel.ts'
import { TransactionLayer } from '../../src/sip/transaction/transaction-layer.ts'
import type { Flow } from '../../src/sip/transport/flow.ts'
import type { TlsIdentity } from '../../src/sip/transport/tls-options.ts'
import { TransportLayer } from '../../src/sip/transport/transport-layer.ts'

interface Needs {
  readonly listen: readonly ListeningAddress[]
  readonly tls: TlsIdentity
  readonly dns: string | undefined
  onRequest(transaction: ServerTransaction): void
  onAck(ack: SipRequest, checked: Checked): boolean
}

/** The transactions of the stand-in, as nta is to drachtio-server: ours, without the dialogs over them. */
export class DaemonSip {
  readonly #wheel = new TimerWheel(() => performance.now())
  readonly #transactions = new TransactionLayer()
  readonly #transports: TransportLayer
  readonly #client: ClientCore
  readonly #server: ServerCore
  readonly #dns: DnsCache
  readonly #own: OwnAddresses
  /** By transport and far end: over which connection that was heard of last. */
  readonly #heardOver = new Map<string, string>()

  constructor({ listen, tls, dns, onRequest, onAck }: Needs) {
    const now = () => performance.now()
    const limits = { ...defaultLimits, requestsPerSecond: 0 }
    const identifiers = new Identifiers()
    const sources = new Sources(limits, () => true, now)
    this.#dns = new DnsCache(dns, now)
    this.#own = new OwnAddresses(undefined, identifiers.nameless)
    const shared = { identifiers, transactions: this.#transactions, wheel: this.#wheel, counters: noCounters }
    this.#transports = new TransportLayer({
      listen,
      tls,
      trust: {},
      limits,
      wheel: this.#wheel,
      sources,
      counters: noCounters,
      now,
      user: {
        onMessage: (message, flow) => this.#onMessage(message, flow),
        onMalformed: (malformed, flow) => this.#server.refuse(malformed, flow),
        onFlowClosed: () => {},
      },
    })
    const resolver = new Resolver({ dns: this.#dns, supports: () => true, random: Math.random })
    this.#client = new ClientCore({ ...shared, transports: this.#transports, resolver, own: this.#own, now })
    this.#server = new ServerCore({ ...shared, transports: this.#transports, sources, onRequest, onAck })
  }

  async start(): Promise<readonly ListeningAddress[]> {
    const listening = await this.#transports.start()
    this.#own.listensOn(listening)
    return listening
  }

  isOwn(host: string, port: number | undefined): boolean {
    return this.#own.includes(host, port)
  }

  ownUri(transport: Transport): string {
    return this.#own.uri(transport)
  }

  /** This end of a flow. */
  localEnd(flow: string): { address: string; port: number } {
    const found = this.#transports.flow(flow)
    return { address: found?.localAddress ?? '127.0.0.1', port: found?.localPort ?? 0 }
  }

  /** The open connection to that far end. */
  flowTo(transport: string, address: string, port: number): string | undefined {
    return this.#heardOver.get(`${transport} ${hostPort(address, port)}`)
  }

  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional: OnProvisional): ClientTransaction {
    return this.#client.send(request, target, onFinal, onProvisional)
  }

  sendAck(ack: SipRequest, target: Target): void {
    this.#client.sendAck(ack, target)
  }

  async close(): Promise<void> {
    this.#transports.stop()
    this.#client.close()
    await this.#transports.close()
    this.#wheel.close()
    this.#transactions.clear()
    this.#dns.close()
  }

  #onMessage(message: SipRequest | SipResponse, flow: Flow): void {
    this.#heardOver.set(`${flow.transport} ${hostPort(flow.remoteAddress, flow.remotePort)}`, flow.name)
    if (message instanceof SipRequest) this.#server.receive(message, flow)
    else this.#client.receive(message)
  }
}
