import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { Phone } from '../support/phone.ts'
import { PhoneSubscription, stateOf } from '../support/phone-subscription.ts'
import { etagOf, listOf, pidf, publish, tuple } from '../support/presence.ts'
import type { SipText } from '../support/sip-text.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'

const users = ['alice', 'bob', 'carol']

async function startProcess(): Promise<SpawnedServer> {
  const server = await prepareServer()
  const file = join(server.dataDir, 'users.csv')
  const lines = users.map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  const imported = await server.run('user', 'import', file)
  if (imported.code !== 0) throw new Error(imported.errors)
  await server.start()
  return server
}

const phoneOf = (server: SpawnedServer, user: string): Promise<Phone> =>
  Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place: server.address('udp') })

const cseqOf = (notify: SipText) => Number.parseInt(notify.header('CSeq') ?? '', 10)
const versionOf = ({ text }: SipText) => Number(/ version="(\d+)"/.exec(text)?.[1])

test('subscriptions and publications outlive a server that is killed', { timeout: 120_000 }, async () => {
  await using server = await startProcess()
  await using alice = await phoneOf(server, 'alice')
  await using bob = await phoneOf(server, 'bob')
  const etag = etagOf(await publish(alice, pidf(alice.aor, tuple('before'))))
  const single = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
  const list = await PhoneSubscription.begin(bob, 'presence', {
    resource: 'sip:rls@parley.test',
    body: listOf(alice.aor),
    contentType: 'application/resource-lists+xml',
    headers: { Supported: 'eventlist' },
  })
  const info = await PhoneSubscription.begin(alice, 'presence.winfo')
  const first = await Promise.all([single, list, info].map((subscription) => subscription.notify()))

  expect(await server.kill('SIGKILL')).toBe('SIGKILL')
  await server.start()
  const again = await Promise.all([single, list, info].map((subscription) => subscription.notify()))
  expect(again.map(stateOf)).toEqual(['active', 'active', 'active'])
  for (const [index, notify] of again.entries()) {
    expect(notify.text).toContain(index === 2 ? bob.aor : 'id="before"')
    expect(cseqOf(notify)).toBeGreaterThan(cseqOf(first[index] as SipText))
    // What a document of a lower version says is passed over (RFC 3857 §4.3, RFC 4662 §5.1).
    if (index > 0) expect(versionOf(notify)).toBeGreaterThan(versionOf(first[index] as SipText))
  }
  expect(again[1]?.text).toContain('fullState="true"')

  const changed = await publish(alice, pidf(alice.aor, tuple('after')), { 'SIP-If-Match': etag })
  expect(changed.status).toBe(200)
  const isNews = ({ text }: SipText) => text.includes('id="after"')
  await Promise.all([single.notify(isNews), list.notify(isNews)])
  expect((await single.refresh(600)).status).toBe(200)
  expect((await list.refresh(0)).status).toBe(200)
  await list.notify((notify) => stateOf(notify) === 'terminated')
})
