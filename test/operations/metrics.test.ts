import { expect, onTestFinished, test } from 'vitest'
import { Metrics } from '../../src/operations/metrics/metrics.ts'

function openMetrics(now?: () => number): Metrics {
  const metrics = new Metrics(now)
  onTestFinished(() => metrics.close())
  return metrics
}

/** The value of one series in Prometheus text. */
function seriesValue(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

test('requests are counted by method and status, and their time by method', async () => {
  const metrics = openMetrics()
  metrics.request('MESSAGE', 200, 0.002)
  metrics.request('MESSAGE', 200, 0.004)
  metrics.request('MESSAGE', 202, 4)
  metrics.request('REGISTER', 401, 0.0001)
  const text = await metrics.text()
  expect(seriesValue(text, 'parley_sip_requests_total{method="MESSAGE",status="200"}')).toBe(2)
  expect(seriesValue(text, 'parley_sip_requests_total{method="MESSAGE",status="202"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_requests_total{method="REGISTER",status="401"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_request_seconds_bucket{method="MESSAGE",le="0.0025"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_request_seconds_bucket{method="MESSAGE",le="0.005"}')).toBe(2)
  expect(seriesValue(text, 'parley_sip_request_seconds_bucket{method="MESSAGE",le="+Inf"}')).toBe(3)
  expect(seriesValue(text, 'parley_sip_request_seconds_count{method="MESSAGE"}')).toBe(3)
  expect(seriesValue(text, 'parley_sip_request_seconds_sum{method="MESSAGE"}')).toBeCloseTo(4.006)
})

test('strangers make no series: unknown methods and statuses are folded', async () => {
  const metrics = openMetrics()
  for (let made = 0; made < 1000; made++) metrics.request(`X${made}`, made, 0.001)
  metrics.request('message', 299, 0)
  metrics.request('MESSAGE', 299, 0)
  metrics.request('MESSAGE', Number.NaN, 0)
  const text = await metrics.text()
  const series = text.split('\n').filter((line) => line.startsWith('parley_sip_requests_total'))
  expect(series.length).toBeLessThan(100)
  expect(seriesValue(text, 'parley_sip_requests_total{method="MESSAGE",status="2xx"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_requests_total{method="MESSAGE",status="none"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_request_seconds_count{method="other"}')).toBe(1001)
})

test('group commits, stages, queues and counts of others appear under their names', async () => {
  const metrics = openMetrics()
  metrics.batch('messages', 3)
  metrics.batch('messages', 300)
  metrics.stage('delivery').observe(0.003)
  metrics.queueDepth('requests', () => 17)
  metrics.gauge('parley_sip_connections', 'Connections open', () => 4)
  metrics.counter('parley_sip_malformed_total', 'Malformed messages', () => 9)
  const text = await metrics.text()
  expect(seriesValue(text, 'parley_group_commit_rows_bucket{name="messages",le="4"}')).toBe(1)
  expect(seriesValue(text, 'parley_group_commit_rows_sum{name="messages"}')).toBe(303)
  expect(seriesValue(text, 'parley_stage_seconds_count{stage="delivery"}')).toBe(1)
  expect(seriesValue(text, 'parley_queue_depth{queue="requests"}')).toBe(17)
  expect(seriesValue(text, 'parley_sip_connections')).toBe(4)
  expect(seriesValue(text, 'parley_sip_malformed_total')).toBe(9)
  expect(seriesValue(await metrics.text(), 'parley_sip_malformed_total')).toBe(9)
})

test('the SIP stack counts its traffic by transport, and what it drops by reason', async () => {
  const metrics = openMetrics()
  for (const kind of ['request', 'request', 'response'] as const) metrics.sip.received('udp', kind)
  metrics.sip.sent('tls')
  metrics.sip.dropped('malformed')
  metrics.sip.retransmitted()
  const text = await metrics.text()
  expect(seriesValue(text, 'parley_sip_received_total{transport="udp",kind="request"}')).toBe(2)
  expect(seriesValue(text, 'parley_sip_received_total{transport="udp",kind="response"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_sent_total{transport="tls"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_dropped_total{reason="malformed"}')).toBe(1)
  expect(seriesValue(text, 'parley_sip_retransmissions_total')).toBe(1)
})

test('the event loop and the process can be watched', async () => {
  const metrics = openMetrics()
  await new Promise((resolve) => setTimeout(resolve, 30)) // the loop must turn for its delay to be measured
  const text = await metrics.text()
  expect(seriesValue(text, 'parley_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThan(0)
  expect(seriesValue(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e6)
  expect(seriesValue(text, 'parley_memory_bytes{kind="heapUsed"}')).toBeGreaterThan(1e6)
  expect(seriesValue(text, 'process_cpu_seconds_total')).toBeGreaterThan(0)
})

test('numbers that cost a query are asked for once in five seconds, however many scrape', async () => {
  let now = 0
  let asked = 0
  const metrics = openMetrics(() => now)
  metrics.deferred(async () => ++asked)
  const read = async () => seriesValue(await metrics.text(), 'parley_deferred_messages')
  expect(await Promise.all([read(), read()])).toEqual([1, 1])
  now = 4999
  expect(await read()).toBe(1)
  now = 5000
  expect(await read()).toBe(2)
})

test('with the database away the rest can still be read', async () => {
  const metrics = openMetrics()
  metrics.bindings(() => Promise.reject(new Error('away')))
  metrics.queueDepth('requests', () => 1)
  const text = await metrics.text()
  expect(seriesValue(text, 'parley_bindings')).toBeNaN()
  expect(seriesValue(text, 'parley_queue_depth{queue="requests"}')).toBe(1)
})

test('a database that does not answer does not hold a scrape up', async () => {
  const metrics = openMetrics()
  metrics.bindings(() => new Promise<number>(() => {}))
  expect(seriesValue(await metrics.text(), 'parley_bindings')).toBeNaN()
})
