import { describe, expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { Linphone } from '../support/linphone.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { isInstalled } from './is-installed.ts'

type Transport = 'tcp' | 'tls'

/** A linphonec that is registered. */
async function online(server: TestServer, user: string, transport: Transport): Promise<Linphone> {
  const place = server.address(transport)
  const phone = await Linphone.start({ user, password: passwordOf(user), domain: server.domain, place })
  await phone.prints(/to \[LinphoneRegistrationOk\]/)
  return phone
}

describe.skipIf(!isInstalled('linphonec'))('linphone-cli', () => {
  test.each([
    ['tcp', 'tcp'],
    ['tls', 'tls'],
    ['tcp', 'tls'],
  ] as const)('alice over %s and bob over %s chat both ways, and delivery notifications arrive', async (one, other) => {
    await using server = await startServer()
    await using alice = await online(server, 'alice', one)
    await using bob = await online(server, 'bob', other)
    alice.chat(bob.aor, 'hello bob')
    await bob.prints(/Message received from .*alice.*: hello bob/)
    await alice.prints(deliveredToUser)
    bob.chat(alice.aor, 'hello alice')
    await alice.prints(/Message received from .*bob.*: hello alice/)
    await bob.prints(deliveredToUser)
  })

  test.each(['tcp', 'tls'] as const)(
    'bob goes away, comes back over %s and has what was sent meanwhile',
    async (transport) => {
      await using server = await startServer()
      await using alice = await online(server, 'alice', transport)
      const before = await online(server, 'bob', transport)
      await before[Symbol.asyncDispose]()
      alice.chat(server.aor('bob'), 'see you later')
      await alice.prints(/202 /)
      await using bob = await online(server, 'bob', transport)
      await bob.prints(/Message received from .*alice.*: see you later/)
      await alice.prints(deliveredToUser)
      expect(bob.output.match(/Message received from .*: see you later/g)).toHaveLength(1)
    },
  )
})

/** What its log says when a notification moved the state of a message. */
const deliveredToUser = /moving from Delivered to DeliveredToUser/
