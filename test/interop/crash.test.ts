import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { embeddedUrl, openDatabase } from '../../src/database/index.ts'
import { type Mailboxes, rootId } from '../../src/enablers/message-store/index.ts'
import { passwordOf } from '../support/add-users.ts'
import { messageIdOf } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { mailboxesOn } from '../support/mailbox.ts'
import { Phone } from '../support/phone.ts'
import { quiet } from '../support/quiet-log.ts'
import type { SipText } from '../support/sip-text.ts'
import { startSipp } from '../support/sipp.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'
import { isInstalled } from './is-installed.ts'
import { readTrace, type TracedCall } from './sipp-trace.ts'

const rounds = 10
const rate = 150

/** The server as a process, on its embedded Postgres, with alice, bob and carol, who keep what they send and get. */
async function startProcess(): Promise<SpawnedServer> {
  const settings = { 'sip.trustedPeers': '127.0.0.1', 'sip.trustFrom': 'true', 'storage.default': 'always' }
  const server = await prepareServer({ settings })
  const file = join(server.dataDir, 'users.csv')
  const lines = ['alice', 'bob', 'carol'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
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

interface Kept {
  /** How many objects there are, by imdn.Message-ID. */
  readonly copies: ReadonlyMap<string, number>
}

/** What a client of each user learns that begins with nothing; the counts of the mailbox have to be those of what it holds. */
async function mailboxesOf(server: SpawnedServer): Promise<[alice: Kept, bob: Kept, carol: Kept]> {
  const database = await openDatabase({ url: (await embeddedUrl(server.dataDir)) ?? '' }, quiet)
  const mailboxes = mailboxesOn({ database })
  try {
    const users = await database.query<{ id: number }>(
      { name: '', text: 'select id from subscribers order by username' },
      [],
    )
    const all: Kept[] = []
    for (const { id } of users) all.push(await listBySequence(mailboxes, id))
    return all as [Kept, Kept, Kept]
  } finally {
    mailboxes.close()
    await database.close()
  }
}

async function listBySequence(mailboxes: Mailboxes, owner: number): Promise<Kept> {
  const copies = new Map<string, number>()
  let [objects, bytes, unread] = [0, 0, 0]
  for (let since = 0, begun: number | undefined; ; ) {
    const page = await mailboxes.changes(owner, since, 500, begun === undefined ? {} : { begun })
    for (const { correlationId = '', size, flags } of page.objects) {
      copies.set(correlationId, (copies.get(correlationId) ?? 0) + 1)
      objects += 1
      bytes += size
      if (!flags.includes('\\Seen')) unread += 1
    }
    expect(page.removedObjects).toEqual([])
    begun = page.begun
    since = page.upTo
    if (!page.more) break
  }
  expect(await mailboxes.state(owner)).toMatchObject({ objects, bytes })
  expect(await mailboxes.folderSizes(owner, rootId, true)).toEqual({ objects, bytes, unread })
  return { copies }
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
    const [alice, ofBob, ofCarol] = await mailboxesOf(server)
    for (const { copies } of [alice, ofBob, ofCarol]) {
      expect([...copies].filter(([, count]) => count > 1)).toEqual([])
    }
    for (const callId of acknowledged) {
      const id = `id-of-${callId}`
      expect(alice.copies.get(id), `the sender's copy of ${callId}`).toBe(1)
      expect((ofBob.copies.get(id) ?? 0) + (ofCarol.copies.get(id) ?? 0), `the recipient's copy of ${callId}`).toBe(1)
    }
    process.stdout.write(
      `killed ${rounds} times: ${calls.size} messages sent, ${acknowledged.length} acknowledged, ${missing().length} lost, ` +
        `${copies.repeated.length} came more than once\n`,
    )
  })
})
