import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

/**
 * What Prometheus expects of every process, under its usual names. prom-client's own collector cannot be stopped, and
 * a test starts many servers in one process. Returns what stops this one.
 */
export function registerProcessMetrics(registry: Registry): () => void {
  const registers = [registry]
  registerMemory(registry)
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time',
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    },
  })
  new Gauge({ name: 'process_start_time_seconds', help: 'Start of the process since the epoch', registers }).set(
    Math.round(Date.now() / 1000 - process.uptime()),
  )
  new Gauge({
    name: 'process_open_fds',
    help: 'Open file descriptors',
    registers,
    collect() {
      this.set(openFiles())
    },
  })
  return registerEventLoopDelay(registry)
}

function registerMemory(registry: Registry): void {
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  new Gauge({
    name: 'parley_memory_bytes',
    help: 'Memory by kind, as Node.js counts it',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
      for (const [kind, bytes] of Object.entries({ heapUsed, heapTotal, external, arrayBuffers }))
        this.set({ kind }, bytes)
    },
  })
}

/** The delay since the scrape before: the worst, and the usual quantiles. */
function registerEventLoopDelay(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  new Gauge({
    name: 'parley_event_loop_delay_seconds',
    help: 'Delay of the event loop since the scrape before, by quantile (1 is the longest)',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of [0.5, 0.9, 0.99]) this.set({ quantile }, delay.percentile(quantile * 100) / 1e9)
      this.set({ quantile: 1 }, delay.max / 1e9)
      delay.reset()
    },
  })
  return () => delay.disable()
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return Number.NaN // not Linux: the series says that nobody knows
  }
}
