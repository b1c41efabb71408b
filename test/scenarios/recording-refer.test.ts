import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agreeOnChat, type ChatPair, hangUp, say } from '../support/chat-pair.ts'
import { historyOf, saidTo } from '../support/history.ts'
import type { Phone } from '../support/phone.ts'
import { refer, referIn } from '../support/refer.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const storage = 'sip:storage@parley.test'
let sessions = 0

/** Two in a chat that nobody keeps. */
async function chat(server: TestServer, phones: readonly [Phone, Phone]): Promise<ChatPair & { readonly id: string }> {
  const id = `contribution-${++sessions}`
  const pair = await agreeOnChat(server, phones, [], { ofInvite: { 'Contribution-ID': id } })
  expect([await pair.near.bind(), await pair.far.bind()]).toEqual(['200 OK', '200 OK'])
  return { ...pair, id }
}

const endsOf = async (server: TestServer, user: string) =>
  (await historyOf(server, user, 'session')).map(({ attributes }) => attributes['Session-End'] !== undefined)

describe('recording a chat', () => {
  let server: TestServer
  let alice: Phone
  let bob: Phone
  let carol: Phone
  let both: readonly [Phone, Phone]
  beforeAll(async () => {
    server = await startServer()
    alice = await callable(server, 'alice')
    bob = await callable(server, 'bob')
    carol = await callable(server, 'carol')
    both = [alice, bob]
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a REFER in the session begins to record from its 202 on, and one with BYE stops; the session goes on', async () => {
    const pair = await chat(server, both)
    await say(pair.near, pair.far, 'too early')
    const begun = await referIn(pair.atNear, `<${storage};method=INVITE>`)
    expect(begun.response.status).toBe(202)
    await say(pair.far, pair.near, 'recorded')
    expect(await begun.notify()).toEqual([expect.stringMatching(/^active;expires=\d+$/), 'SIP/2.0 100 Trying'])
    expect(await begun.notify()).toEqual(['terminated;reason=noresource', 'SIP/2.0 200 OK'])
    expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([['recorded'], []])
    expect(await endsOf(server, 'alice')).toEqual([false])
    const stopped = await referIn(pair.atNear, `<${storage};method=BYE>`)
    expect(stopped.response.status).toBe(202)
    await stopped.notify()
    expect((await stopped.notify())[1]).toBe('SIP/2.0 200 OK')
    expect(await endsOf(server, 'alice')).toEqual([true])
    await say(pair.near, pair.far, 'too late')
    expect(await saidTo(server, 'alice')).toEqual(['recorded'])
    await hangUp(pair)
    await expectNothingHeld(server)
  })

  test('a REFER outside names the session by its Contribution-ID; without subscription it has no NOTIFY', async () => {
    const pair = await chat(server, both)
    const headers = { 'Refer-Sub': 'false', Require: 'norefersub' }
    const { response } = await refer(bob, storage, `<${storage};method=INVITE?Contribution-ID=${pair.id}>`, headers)
    expect([response.status, response.header('Refer-Sub')]).toEqual([200, 'false'])
    await say(pair.near, pair.far, `for bob of ${pair.id}`)
    expect(await saidTo(server, 'bob')).toContain(`for bob of ${pair.id}`)
    expect(await saidTo(server, 'alice')).not.toContain(`for bob of ${pair.id}`)
    expect(bob.received.filter(({ method }) => method === 'NOTIFY')).toEqual([])
    await hangUp(pair)
  })

  test.each(['Target-Dialog', 'Replaces'])('%s names the session as well', async (how) => {
    const pair = await agreeOnChat(server, both)
    expect([await pair.near.bind(), await pair.far.bind()]).toEqual(['200 OK', '200 OK'])
    const [local, remote] = pair.atNear.tags
    const { callId } = pair.atNear
    const named =
      how === 'Replaces'
        ? refer(
            alice,
            storage,
            `<${storage}?Replaces=${encodeURIComponent(`${callId};to-tag=${remote};from-tag=${local}`)}>`,
          )
        : refer(alice, storage, `<${storage};method=INVITE>`, {
            'Target-Dialog': `${callId};local-tag=${local};remote-tag=${remote}`,
            Require: 'tdialog',
          })
    const { response, notify } = await named
    expect(response.status).toBe(202)
    expect([(await notify())[1], (await notify())[1]]).toEqual(['SIP/2.0 100 Trying', 'SIP/2.0 200 OK'])
    await say(pair.near, pair.far, `by ${how}`)
    expect(await saidTo(server, 'alice')).toContain(`by ${how}`)
    await hangUp(pair)
  })

  test('nobody records a session of others', async () => {
    const pair = await chat(server, both)
    const byId = await refer(carol, storage, `<${storage}?Contribution-ID=${pair.id}>`)
    const [local, remote] = pair.atNear.tags
    const byDialog = await refer(carol, storage, `<${storage};method=INVITE>`, {
      'Target-Dialog': `${pair.atNear.callId};local-tag=${local};remote-tag=${remote}`,
    })
    expect([byId.response.status, byDialog.response.status]).toEqual([403, 403])
    const stopping = await refer(carol, storage, `<${storage};method=BYE?Contribution-ID=${pair.id}>`)
    expect(stopping.response.status).toBe(403)
    await say(pair.near, pair.far, `between us ${pair.id}`)
    expect(await saidTo(server, 'carol')).toEqual([])
    await hangUp(pair)
  })

  test('a session that there is not, or not any more, is not recorded', async () => {
    const pair = await chat(server, both)
    const [local, remote] = pair.atNear.tags
    await hangUp(pair)
    const byId = await refer(alice, storage, `<${storage}?Contribution-ID=${pair.id}>`)
    const byDialog = await refer(alice, storage, `<${storage}>`, {
      'Target-Dialog': `${pair.atNear.callId};local-tag=${local};remote-tag=${remote}`,
    })
    const never = await refer(alice, storage, `<${storage}?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>`)
    expect([byId, byDialog, never].map(({ response }) => response.status)).toEqual([404, 481, 481])
  })

  test.each([
    ['no Refer-To', {}],
    ['two of them', { 'Refer-To': [`<${storage}?Contribution-ID=a>`, `<${storage}?Contribution-ID=b>`] }],
    ['one that is no address', { 'Refer-To': '<<nonsense' }],
    ['one of another scheme', { 'Refer-To': '<mailto:a@b.test?Contribution-ID=a>' }],
    ['one that asks for another method', { 'Refer-To': `<${storage};method=MESSAGE?Contribution-ID=a>` }],
    ['one that names no session', { 'Refer-To': `<${storage};method=INVITE>` }],
    ['a dialog without its tags', { 'Refer-To': `<${storage}?Replaces=only-this>` }],
    ['a Target-Dialog without its tags', { 'Refer-To': `<${storage}>`, 'Target-Dialog': 'abc;local-tag=1' }],
    ['escapes that are none', { 'Refer-To': `<${storage}?Contribution-ID=%C3>` }],
  ])('a REFER with %s is malformed', async (_, headers) => {
    const { status } = await alice.request('REFER', storage, {
      headers: { Contact: `<${alice.contact}>`, ...headers },
    })
    expect(status).toBe(400)
  })

  test('a REFER to anybody else is not served outside of a session, and one without credentials is challenged', async () => {
    expect((await refer(alice, bob.aor, `<${storage}?Contribution-ID=a>`)).response.status).toBe(405)
    const unknown = await alice.request('REFER', storage, {
      authenticate: false,
      headers: { Contact: `<${alice.contact}>`, 'Refer-To': `<${storage}?Contribution-ID=a>` },
    })
    expect([401, 407]).toContain(unknown.status)
  })

  test('a REFER whose Contact leads nowhere begins to record all the same, and harms nobody', async () => {
    const pair = await chat(server, both)
    const to = { 'Refer-To': `<${storage}?Contribution-ID=${pair.id}>` }
    const statuses = []
    for (const contact of ['<sip:nobody@nowhere.invalid:1>', '<http://a.example/>', '*', undefined]) {
      const headers = { ...to, Contact: contact }
      statuses.push((await alice.request('REFER', storage, { headers })).status)
    }
    expect(statuses).toEqual([202, expect.any(Number), 400, 400])
    await say(pair.near, pair.far, `still here ${pair.id}`)
    expect(await saidTo(server, 'alice')).toContain(`still here ${pair.id}`)
    await hangUp(pair)
  })

  test('a REFER in a session that is for the other party goes there', async () => {
    const pair = await chat(server, both)
    const asked = pair.atNear.request('REFER', { headers: { 'Refer-To': `<${server.aor('carol')}>` } })
    expect((await pair.atFar.receive('REFER')).header('Refer-To')).toBe(`<${server.aor('carol')}>`)
    expect((await asked).status).toBe(200)
    await hangUp(pair)
  })
})

test('what the operator does not want is not recorded, nor what does not go through the server', async () => {
  await using server = await startServer({ settings: { 'storage.chat': 'never', 'storage.file': 'never' } })
  const pair = await chat(server, [await callable(server, 'alice'), await callable(server, 'bob')])
  const { response } = await referIn(pair.atNear, `<${storage};method=INVITE>`)
  expect([response.status, response.header('Warning')]).toEqual([488, expect.stringContaining('399')])
  await say(pair.near, pair.far, 'off the record')
  expect(await historyOf(server, 'alice')).toEqual([])
  await hangUp(pair)
  await using apart = await startServer({ settings: { 'session.mediaAnchor': 'never' } })
  const beside = await agreeOnChat(apart, [await callable(apart, 'alice'), await callable(apart, 'bob')])
  expect((await referIn(beside.atNear, `<${storage};method=INVITE>`)).response.status).toBe(488)
  await hangUp(beside)
})

test('another address for the storage controller may be configured', async () => {
  await using server = await startServer({ settings: { 'storage.uri': 'sip:history@parley.test' } })
  const alice = await callable(server, 'alice')
  const pair = await chat(server, [alice, await callable(server, 'bob')])
  const usual = await refer(alice, storage, `<${storage}?Contribution-ID=${pair.id}>`)
  const { response } = await refer(alice, 'sip:history@parley.test', `<${storage}?Contribution-ID=${pair.id}>`)
  expect([usual.response.status, response.status]).toEqual([405, 202])
  await hangUp(pair)
})
