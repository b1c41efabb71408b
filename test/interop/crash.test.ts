import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { messageIdOf } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { Phone } from '../support/phone.ts'
import type { SipText } from '../support/sip-text.ts'
import { startSipp } from '../support/sipp.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'
import { isInstalled } from './is-installed.ts'
import { readTrace, type TracedCall } from './sipp-trace.ts'

const rounds = 10
const rate = 150

/** The server as a process, on its embedded Postgres, with bob and carol. */
async function startProcess(): Promise<SpawnedServer> {
  const server = await prepareServer({ settings: { 'sip.trustedPeers': '127.0.0.1', 'sip.trustFrom': 'true' } })
  const file = join(server.dataDir, 'users.csv')
  const lines = ['bob', 'carol'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  const imported = await server.run('user', 'import', file)
  if (imported.code !== 0) throw new Error(imported.errors)
  await server.start()
  return server
}

function open(server: SpawnedServer, user: string): Promise<Phone> {
  const place = server.address('udp')
  return Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place })
}

/** The copies of each message that a phone received, with the time of the first. */
class Copies {
  readonly byCallId = new Map<string, SipText[]>()
  readonly firstAt = new Map<string, number>()

  take(message: SipText): number {
    const callId = message.header('Call-ID') ?? ''
    const before = this.byCallId.get(callId)
    if (before === undefined) {
      this.byCallId.set(callId, [message])
      this.firstAt.set(callId, Date.now())
    } else before.push(message)
    return 200
  }

  get repeated(): [string, SipText[]][] {
    return [...this.byCallId].filter(([, copies]) => copies.length > 1)
  }
}

/** Between the last step of a delivery and the moment at which the server has committed what it knows of it. */
const commitSlack = 1_000

/** Whether a message was in flight at a kill: sent and not answered, or being delivered. */
function inFlight(call: TracedCall | undefined, firstAt: number, kills: readonly number[]): boolean {
  if (call === undefined) return false
  const end = Math.max(call.answeredAt ?? Number.POSITIVE_INFINITY, firstAt) + commitSlack
  return kills.some((kill) => call.sentAt <= kill && kill <= end)
}

describe.skipIf(!isInstalled('sipp'))('a server that is killed', () => {
  test(`${rounds} times under load loses no message that it acknowledged`, { timeout: 300_000 }, async () => {
    await using server = await startProcess()
    await using bob = await open(server, 'bob')
    await using carol = await open(server, 'carol')
    const copies = new Copies()
    for (const phone of [bob, carol]) phone.answer = (message) => copies.take(message)
    expect((await bob.register({ expires: 3600 })).status).toBe(200)
    const { address, port } = server.address('udp')
    const load = await startSipp({
      scenario: join(import.meta.dirname, 'crash-load.xml'),
      target: `${address}:${port}`,
      users: ['bob', 'bob', 'carol'],
      rate,
      trace: true,
      timeoutSeconds: 240,
    })
    const kills: number[] = []
    for (let round = 0; round < rounds; round++) {
      await sleep(300 + Math.random() * 1_500)
      kills.push(Date.now())
      await server.kill('SIGKILL')
      await server.start()
    }
    const { trace } = await load.stop(40_000)
    const calls = readTrace(trace)
    const acknowledged = [...calls]
      .filter(([, { status }]) => status === 200 || status === 202)
      .map(([callId]) => callId)
    expect(acknowledged.length).toBeGreaterThan(rounds * 10)
    await bob.register({ expires: 3600 })
    await carol.register({ expires: 3600 })
    const missing = () => acknowledged.filter((callId) => !copies.byCallId.has(callId))
    await eventually(() => expect(missing()).toEqual([]), 90_000)
    for (const [callId, some] of copies.repeated) {
      expect(new Set(some.map(messageIdOf))).toEqual(new Set([`id-of-${callId}`]))
      const firstAt = copies.firstAt.get(callId) ?? 0
      expect(inFlight(calls.get(callId), firstAt, kills), `${callId} came twice`).toBe(true)
    }
    process.stdout.write(
      `killed ${rounds} times: ${calls.size} messages sent, ${acknowledged.length} acknowledged, ${missing().length} lost, ` +
        `${copies.repeated.length} came more than once\n`,
    )
  })
})
