import { Counter, type Registry } from 'prom-client'

type Counts = Record<string, number>
type Row = readonly [labels: Readonly<Record<string, string>>, count: number]

/** What the SIP stack tells of its traffic, in plain numbers: it tells so for every message. */
export class SipCounters {
  readonly #requests: Counts = {}
  readonly #responses: Counts = {}
  readonly #sent: Counts = {}
  readonly #dropped: Counts = {}
  #retransmissions = 0

  received(transport: string, kind: 'request' | 'response'): void {
    countIn(kind === 'request' ? this.#requests : this.#responses, transport)
  }

  sent(transport: string): void {
    countIn(this.#sent, transport)
  }

  retransmitted(): void {
    this.#retransmissions++
  }

  dropped(reason: string): void {
    countIn(this.#dropped, reason)
  }

  register(registry: Registry): void {
    const received = () => [
      ...rowsOf(this.#requests, (transport) => ({ transport, kind: 'request' })),
      ...rowsOf(this.#responses, (transport) => ({ transport, kind: 'response' })),
    ]
    const sent = () => rowsOf(this.#sent, (transport) => ({ transport }))
    const dropped = () => rowsOf(this.#dropped, (reason) => ({ reason }))
    registerCounter(registry, 'parley_sip_received_total', 'SIP messages received', ['transport', 'kind'], received)
    registerCounter(registry, 'parley_sip_sent_total', 'SIP messages sent', ['transport'], sent)
    registerCounter(registry, 'parley_sip_dropped_total', 'What came in and was not handed on', ['reason'], dropped)
    registerCounter(registry, 'parley_sip_retransmissions_total', 'SIP messages sent again', [], () => [
      [{}, this.#retransmissions],
    ])
  }
}

function countIn(counts: Counts, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

const rowsOf = (counts: Counts, toLabels: (name: string) => Record<string, string>): Row[] =>
  Object.entries(counts).map(([name, count]) => [toLabels(name), count])

/** A counter that is kept elsewhere and read at a scrape. */
export function registerCounter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => readonly Row[],
): void {
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset()
      for (const [labels, count] of read()) this.inc(labels, count)
    },
  })
}
