import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ownPostgres } from '../support/own-postgres.ts'
import type { Phone } from '../support/phone.ts'
import type { SipText } from '../support/sip-text.ts'
import { startServer, usualUsers } from '../support/start-server.ts'

const awayMs = 20_000
const everyMs = 20

/** Sends a message every so often, waiting for no answer, until told to stop. */
class Load {
  readonly answers: Promise<{ text: string; answer: SipText | undefined }>[] = []
  #running = true
  readonly #done: Promise<void>

  constructor(from: Phone, to: string) {
    this.#done = this.#run(from, to)
  }

  async stop() {
    this.#running = false
    await this.#done
    return Promise.all(this.answers)
  }

  async #run(from: Phone, to: string): Promise<void> {
    for (let count = 0; this.#running; count++) {
      const text = `${to} ${count}`
      const answer = from.message(to, text).catch(() => undefined)
      this.answers.push(answer.then((one) => ({ text, answer: one })))
      await sleep(everyMs)
    }
  }
}

test('Postgres goes away for 20 s under load: nothing acknowledged is lost, and service returns by itself', {
  timeout: 180_000,
}, async () => {
  await using postgres = await ownPostgres()
  await using server = await startServer({
    databaseUrl: postgres.url,
    users: usualUsers,
    settings: { 'storage.default': 'always', 'sip.limits.requestsPerSecond': '0' },
  })
  const [alice, bob, carol] = [await server.phone('alice'), await server.online('bob'), await server.phone('carol')]
  const loads = [new Load(alice, bob.aor), new Load(alice, carol.aor)]
  await sleep(1_000)
  await postgres.stop()
  await sleep(awayMs)
  const refused = await alice.message(carol.aor, 'during the outage')
  expect(refused.status).toBe(503)
  expect(Number(refused.header('Retry-After'))).toBeGreaterThan(0)
  await postgres.startAgain()
  await eventually(async () => expect((await alice.message(carol.aor, 'marker')).status).toBe(202), 60_000)
  const sent = (await Promise.all(loads.map((load) => load.stop()))).flat()
  const acknowledged = sent.filter(({ answer }) => answer?.status === 200 || answer?.status === 202)
  const statuses = new Set(sent.map(({ answer }) => answer?.status))
  expect([...statuses].every((status) => status === 200 || status === 202 || status === 503)).toBe(true)
  expect(acknowledged.length).toBeGreaterThan(50)
  await bob.register()
  await carol.register()
  const arrived = () => new Set([...bob.received, ...carol.received].map((message) => message.text))
  await eventually(() => expect(acknowledged.filter(({ text }) => !arrived().has(text))).toEqual([]), 60_000)
})
