import { describe, expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { Linphone } from '../support/linphone.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { isInstalled } from './is-installed.ts'

/** A linphonec that is registered, publishes its presence, and watches its friends through one list. */
async function online(server: TestServer, user: string, friends: readonly string[]): Promise<Linphone> {
  const place = server.address('tcp')
  const phone = await Linphone.start({ user, password: passwordOf(user), domain: server.domain, place, friends })
  await phone.prints(/to \[LinphoneRegistrationOk\]/)
  return phone
}

/** What it says when it is told of a friend. */
const sees = (user: string, status: string) => new RegExp(`Friend .*sip:${user}@.* is ${status}`)

const busy = (entity: string) => `<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
  xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="${entity}">
  <tuple id="desk"><status><basic>open</basic></status></tuple>
  <dm:person id="p"><rpid:activities><rpid:busy/></rpid:activities></dm:person>
</presence>`

describe.skipIf(!isInstalled('linphonec'))('linphone-cli', () => {
  test('friends see each other come, go, and come back, through one subscription to their list', async () => {
    await using server = await startServer()
    await using alice = await online(server, 'alice', [server.aor('bob'), server.aor('carol')])
    await alice.prints(sees('bob', 'Offline'))
    const bob = await online(server, 'bob', [server.aor('alice')])
    await alice.prints(sees('bob', 'Online'))
    await bob.prints(sees('alice', 'Online'))
    const before = alice.count(sees('bob', 'Offline'))
    await bob[Symbol.asyncDispose]()
    await alice.prints(sees('bob', 'Offline'), before + 1)
    const present = alice.count(sees('bob', 'Online'))
    await using again = await online(server, 'bob', [server.aor('alice')])
    await alice.prints(sees('bob', 'Online'), present + 1)
    await again.prints(sees('alice', 'Online'))
    expect(alice.output).not.toMatch(/rlmi\+xml: /)
    expect(await server.query(`select subscriber from subscriptions where subscriber like 'sip:alice@%'`)).toHaveLength(
      1,
    )
  })

  test('a friend is seen to be busy when another of their devices says so', async () => {
    await using server = await startServer()
    await using alice = await online(server, 'alice', [server.aor('bob')])
    await using bob = await online(server, 'bob', [server.aor('alice')])
    await alice.prints(sees('bob', 'Online'))
    const desk = await server.phone('bob')
    const published = await desk.request('PUBLISH', desk.aor, {
      headers: { Event: 'presence', Expires: '600' },
      contentType: 'application/pidf+xml',
      body: busy(desk.aor),
    })
    expect(published.status).toBe(200)
    await alice.prints(sees('bob', 'Busy'))
    await bob.prints(sees('alice', 'Online'))
  })
})
