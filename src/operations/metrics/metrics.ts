import { Gauge, Registry } from 'prom-client'
import { CachedReading } from './cached-reading.ts'
import { Histogram } from './histogram.ts'
import { registerProcessMetrics } from './process-metrics.ts'
import { RequestSeries } from './request-series.ts'
import { registerCounter, SipCounters } from './sip-counters.ts'

const batchBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
const stageBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 32]

/**
 * What the server counts of itself, in Prometheus text. What happens for every message is counted in plain numbers;
 * everything else is read when somebody scrapes.
 */
export class Metrics {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #requests = new RequestSeries()
  readonly #batches = new Map<string, Histogram>()
  readonly #stages = new Map<string, Histogram>()
  readonly #histograms: { readonly name: string; readonly help: string; readonly histogram: Histogram }[] = []
  readonly #queues = new Map<string, () => number>()
  readonly #now: () => number
  readonly #stopProcessMetrics: () => void
  #sip: SipCounters | undefined

  constructor(now: () => number = Date.now) {
    this.#now = now
    this.contentType = this.#registry.contentType
    this.#stopProcessMetrics = registerProcessMetrics(this.#registry)
    this.#registerQueues()
  }

  /** For the SIP stack to count in: by transport, and by why something was dropped. */
  get sip(): SipCounters {
    if (this.#sip !== undefined) return this.#sip
    this.#sip = new SipCounters()
    this.#sip.register(this.#registry)
    return this.#sip
  }

  /** A SIP request was answered, `seconds` after it came. */
  request(method: string, status: number, seconds: number): void {
    this.#requests.count(method, status, seconds)
  }

  /** A group commit wrote `size` rows at once. */
  batch(name: string, size: number): void {
    childOf(this.#batches, name, batchBounds).observe(size)
  }

  /** The histogram of a stage on the path of a message, such as `delivery`; ask once and keep it. */
  stage(name: string): { observe(seconds: number): void } {
    return childOf(this.#stages, name, stageBounds)
  }

  /** What waits in a queue, read at a scrape. */
  queueDepth(name: string, read: () => number): void {
    this.#queues.set(name, read)
  }

  /** Contacts registered, over all nodes; the query runs at most once in five seconds. */
  bindings(read: () => number | Promise<number>): void {
    this.#cachedGauge('parley_bindings', 'Contacts registered', read)
  }

  /** Deliveries that wait for a device, over all nodes; the query runs at most once in five seconds. */
  deferred(read: () => number | Promise<number>): void {
    this.#cachedGauge('parley_deferred_messages', 'Deliveries waiting for a device', read)
  }

  /** A number that goes up and down and costs nothing to read. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }

  /** A count that somebody else keeps, such as of what was refused. */
  counter(name: string, help: string, read: () => number): void {
    registerCounter(this.#registry, name, help, [], () => [[{}, read()]])
  }

  /** The same, apart by one label. */
  counters(name: string, help: string, label: string, read: () => readonly (readonly [string, number])[]): void {
    const rows = () => read().map(([value, count]) => [{ [label]: value }, count] as const)
    registerCounter(this.#registry, name, help, [label], rows)
  }

  /** A histogram of one kind of reading; keep what is returned. */
  histogram(name: string, help: string, bounds: readonly number[]): { observe(value: number): void } {
    const histogram = new Histogram(bounds)
    this.#histograms.push({ name, help, histogram })
    return histogram
  }

  async text(): Promise<string> {
    return [
      this.#requests.toText(),
      childrenText('parley_group_commit_rows', 'Rows that share one commit', 'name', this.#batches),
      childrenText('parley_stage_seconds', 'Time of the stages of a message', 'stage', this.#stages),
      ...this.#histograms.map(
        ({ name, help, histogram }) => `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${histogram.toText(name)}`,
      ),
      await this.#registry.metrics(),
    ].join('')
  }

  close(): void {
    this.#stopProcessMetrics()
    this.#registry.clear()
  }

  #registerQueues(): void {
    const queues = this.#queues
    new Gauge({
      name: 'parley_queue_depth',
      help: 'Entries waiting, by queue',
      labelNames: ['queue'],
      registers: [this.#registry],
      collect() {
        for (const [queue, read] of queues) this.set({ queue }, read())
      },
    })
  }

  #cachedGauge(name: string, help: string, read: () => number | Promise<number>): void {
    const reading = new CachedReading(read, this.#now)
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        this.set((await reading.value()) ?? Number.NaN)
      },
    })
  }
}

function childOf(children: Map<string, Histogram>, name: string, bounds: readonly number[]): Histogram {
  const known = children.get(name)
  if (known !== undefined) return known
  const histogram = new Histogram(bounds)
  children.set(name, histogram)
  return histogram
}

function childrenText(name: string, help: string, label: string, children: ReadonlyMap<string, Histogram>): string {
  const lines = [...children].map(([child, histogram]) => histogram.toText(name, `${label}="${child}"`))
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${lines.join('')}`
}
