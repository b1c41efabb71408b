import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { becomes, CallbackReceiver } from '../support/callback-receiver.ts'
import { faultIn, NmsUser } from '../support/nms-user.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

let server: TestServer
let alice: NmsUser
let bob: NmsUser
let client: CallbackReceiver
const settings = {
  'storage.default': 'always',
  'storage.notifications.callbackTo': '127.0.0.1',
  'storage.notifications.pollFor': '3s',
  'storage.notifications.giveUpAfter': '1s',
  'storage.notifications.perUser': '5',
}

beforeAll(async () => {
  server = await startServer({ settings })
  alice = await NmsUser.of(server, 'alice')
  bob = await NmsUser.of(server, 'bob')
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(async () => {
  client = await CallbackReceiver.open()
})
afterEach(async () => {
  for (const user of [alice, bob]) {
    for (const { resourceURL } of (await user.json('GET', '/subscriptions')).body.subscription ?? []) {
      await user.json('DELETE', resourceURL)
    }
    for (const { resourceURL } of (await user.json('GET', user.channels)).body.notificationChannel ?? []) {
      await user.json('DELETE', resourceURL)
    }
  }
  await client[Symbol.asyncDispose]()
})

const ask = (user: NmsUser, more: object = {}, callback: object = {}) => {
  const callbackReference = { notifyURL: client.url(), notificationFormat: 'JSON', ...callback }
  return user.json('POST', '/subscriptions', { nmsSubscription: { callbackReference, ...more } })
}
const subscribe = async (user: NmsUser, more: object = {}, callback: object = {}) => {
  const made = await ask(user, more, callback)
  expect(made.status, made.text).toBe(201)
  return made.body
}
const seen = (url: string) => `${url}/flags/%5CSeen`
const folderOf = async (user: NmsUser, object: string) => (await user.json('GET', object)).body.parentFolder

describe('a subscription', () => {
  test('is what was asked for, with the index and the token of what comes next', async () => {
    const filter = { criterion: [{ type: 'Flag', name: '\\Flagged', value: 'true' }] }
    const more = { duration: 600, filter, clientCorrelator: 'c1' }
    const made = await ask(alice, more, { callbackData: 'x' })
    expect(made.status, made.text).toBe(201)
    expect(made.body).toEqual({
      callbackReference: { notifyURL: client.url(), callbackData: 'x', notificationFormat: 'JSON' },
      ...more,
      resourceURL: made.headers.location,
      index: 1,
      restartToken: expect.any(String),
    })
    const again = await ask(alice, more)
    expect([again.status, again.body.resourceURL]).toEqual([200, made.body.resourceURL])
    expect((await alice.json('GET', made.body.resourceURL)).body).toMatchObject({ index: 1, filter })
    const list = (await alice.json('GET', '/subscriptions')).body
    expect(list.subscription).toHaveLength(1)
    expect(list.resourceURL).toBe(`${server.http}${alice.box}/subscriptions`)
    const change = { nmsSubscriptionUpdate: { duration: 1200 } }
    expect((await alice.json('POST', made.body.resourceURL, change)).body.duration).toBe(1200)
    expect((await alice.json('DELETE', made.body.resourceURL)).status).toBe(204)
    const gone = await alice.json('GET', made.body.resourceURL)
    expect(faultIn(gone)).toBe('404 SVC0004')
    expect(gone.body.link).toEqual([{ rel: 'NmsSubscription', href: made.body.resourceURL }])
  })

  test('belongs to its user alone', async () => {
    const { resourceURL } = await subscribe(alice)
    const path = `/subscriptions/${resourceURL.split('/').at(-1)}`
    expect(faultIn(await bob.json('GET', path))).toBe('404 SVC0004')
    expect(faultIn(await bob.json('POST', path, { nmsSubscriptionUpdate: { duration: 1 } }))).toBe('404 SVC0004')
    expect(faultIn(await bob.json('DELETE', path))).toBe('404 SVC0004')
    await bob.add('/x', {})
    const mine = await alice.add('/x', {})
    const events = (await client.until(1)).flatMap(({ list }) => list.nmsEvent)
    expect(JSON.stringify(events)).toContain(mine)
    expect(events.length).toBeLessThanOrEqual(2)
    const reader = await NmsUser.of(server, 'alice', 'oma_rest_nms.read')
    expect(faultIn(await reader.json('GET', '/subscriptions'))).toBe('403 POL0001')
  })

  test('ends when its time is over, and there are not too many of them', async () => {
    await subscribe(alice, { duration: 1 })
    await becomes(async () => (await alice.json('GET', '/subscriptions')).body.subscription.length === 0)
    for (let at = 0; at < 5; at++) await subscribe(alice)
    expect(faultIn(await ask(alice))).toBe('403 POL0001')
  })

  const refused: Record<string, [object, object]> = {
    'an address of the operator': [{}, { notifyURL: 'http://169.254.169.254/latest' }],
    'an address of the operator in another notation': [{}, { notifyURL: 'http://2130706434/' }],
    'an address of the operator as IPv6': [{}, { notifyURL: 'http://[::ffff:10.0.0.1]/' }],
    'another scheme': [{}, { notifyURL: 'file:///etc/passwd' }],
    credentials: [{}, { notifyURL: 'http://user:secret@example.org/' }],
    'no URL': [{}, { notifyURL: 'nowhere' }],
    'a token that was made up': [{ restartToken: 'abc' }, {}],
    'a token of a time to come': [{ restartToken: 'zzzzzz-' }, {}],
    'a filter that looks for what came since': [
      { filter: { criterion: [{ type: 'CreatedObjects', value: '1' }] } },
      {},
    ],
    'a format that there is not': [{}, { notificationFormat: 'YAML' }],
  }
  for (const [what, [more, callback]] of Object.entries(refused)) {
    test(`with ${what} gets SVC0002`, async () => {
      expect(faultIn(await ask(alice, more, callback))).toBe('400 SVC0002')
    })
  }
})

describe('a notification by callback', () => {
  test('tells of the whole state after the change, once for each change, in order', async () => {
    const { resourceURL } = await subscribe(alice, {}, { callbackData: 'mine' })
    const url = await alice.add('/told', { Subject: 'a' }, ['\\Flagged'])
    await becomes(() => client.received.flatMap(({ list }) => list.nmsEvent).length >= 2)
    await alice.json('PUT', seen(url))
    await becomes(() => client.received.at(-1)?.text.includes('Seen') === true)
    await alice.json('PUT', seen(url)) // changes nothing
    await alice.json('DELETE', url)
    await becomes(() => client.received.at(-1)?.text.includes('deletedObject') === true)
    const lists = client.received.map(({ list }) => list)
    expect(lists.map(({ index }) => index)).toEqual(lists.map((_, at) => at + 1))
    expect(lists.every(({ callbackData }) => callbackData === 'mine')).toBe(true)
    expect(lists[0].link).toEqual([{ rel: 'NmsSubscription', href: resourceURL }])
    const events = lists.flatMap(({ nmsEvent }) => nmsEvent)
    expect(events[0].changedFolder).toMatchObject({ name: 'told', parentFolder: expect.stringMatching(/folders\/0/) })
    expect(events[1].changedObject).toMatchObject({
      flags: { flag: ['\\Flagged'] },
      resourceURL: url,
      parentFolder: events[0].changedFolder.resourceURL,
    })
    expect(events[2].changedObject.flags.flag).toEqual(['\\Flagged', '\\Seen'])
    expect(events[3]).toEqual({ deletedObject: { resourceURL: url, lastModSeq: expect.any(Number) } })
    const sequences = events.map((event: Record<string, { lastModSeq: number }>) => Object.values(event)[0]?.lastModSeq)
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => Number(a) - Number(b)))
    expect(client.most).toBe(1)
    expect((await alice.json('GET', resourceURL)).body).toMatchObject({
      index: lists.length + 1,
      restartToken: lists.at(-1).restartToken,
    })
  })

  test('is in XML where nothing else was asked for', async () => {
    await subscribe(alice, {}, { notificationFormat: undefined })
    const url = await alice.add('/xml', {})
    const [{ text, type } = { text: '', type: '' }] = await client.until(1)
    expect(type).toMatch(/^application\/xml/)
    expect(text).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<nms:nmsEventList xmlns:nms="urn:oma:xml:rest:netapi:nms:1"><nmsEvent><changed/,
    )
    expect(client.received.map((one) => one.text).join('')).toContain(`<resourceURL>${url}</resourceURL>`)
    expect(text).toContain('<index>1</index><restartToken>')
  })

  test('that the client has not taken comes again, under its index, and never two at a time', async () => {
    await subscribe(alice)
    client.answers = [503, 'cut', 'wait']
    const url = await alice.add('/again', {})
    await client.until(3)
    await alice.json('PUT', seen(url))
    client.letGo()
    await becomes(() => client.received.at(-1)?.text.includes('Seen') === true)
    const indexes = client.received.map(({ list }) => list.index)
    expect(indexes.slice(0, 4)).toEqual([1, 1, 1, 2])
    expect(client.received.slice(0, 3).every(({ text }) => !text.includes('\\\\Seen'))).toBe(true)
    expect(client.most).toBe(1)
  })

  test('does not come for ever where nobody takes it: the subscription ends', async () => {
    const { resourceURL } = await subscribe(alice)
    client.answers = Array.from({ length: 100 }, () => 500)
    await alice.add('/given-up', {})
    await becomes(async () => (await alice.json('GET', resourceURL)).status === 404)
    expect(client.received.length).toBeGreaterThan(1)
  })

  test('ends the subscription at once where there is nobody', async () => {
    const { resourceURL } = await subscribe(alice)
    client.answers = [404]
    await alice.add('/nobody', {})
    await becomes(async () => (await alice.json('GET', resourceURL)).status === 404)
    expect(client.received).toHaveLength(1)
  })

  test('follows no redirect', async () => {
    await using inside = await CallbackReceiver.open()
    client.headers = { location: inside.url() }
    client.answers = Array.from({ length: 100 }, () => 307)
    const { resourceURL } = await subscribe(alice)
    await alice.add('/redirect', {})
    await becomes(async () => (await alice.json('GET', resourceURL)).status === 404)
    expect(inside.received).toHaveLength(0)
  })

  test('passes the filter, or does not come', async () => {
    const criterion = [
      { type: 'Flag', name: '\\Flagged', value: 'true' },
      { type: 'Flag', name: '\\Seen', value: 'false' },
    ]
    await subscribe(alice, { filter: { criterion } })
    const plain = await alice.add('/filtered', {})
    const flagged = await alice.add('/filtered', {}, ['\\Flagged'])
    await alice.json('DELETE', plain)
    await client.until(1)
    const second = await alice.add('/filtered', { Subject: 'b' }, ['\\Flagged'])
    await client.until(2)
    const events = client.received.map(({ list }) => list.nmsEvent.map((event: object) => JSON.stringify(event)))
    expect(events.map((list) => list.length)).toEqual([1, 1])
    expect(events[0][0]).toContain(flagged)
    expect(events[1][0]).toContain(second)
    expect(client.received.map(({ list }) => list.index)).toEqual([1, 2])
  })

  const filters: Record<string, [object, string]> = {
    'of what is new': [{ type: 'CreatedObjects', value: '' }, 'new'],
    'of what has gone': [{ type: 'VanishedObjects', value: '' }, 'gone'],
    'by attribute': [{ type: 'Attribute', name: 'Subject', value: 'wanted' }, 'new'],
    'by text': [{ type: 'AllTextAttributes', value: 'ANTE' }, 'new'],
    'by whole words': [{ type: 'WholeWord', value: 'Wanted' }, 'new'],
    'by its party': [{ type: 'PresetSearch', name: 'RemoteParty', value: 'tel:+1555777' }, 'new'],
    'by date': [{ type: 'Date', value: 'minDate=2031-01-01T00:00:00Z' }, 'new'],
  }
  for (const [what, [criterion, which]] of Object.entries(filters)) {
    test(`passes a filter ${what}`, async () => {
      const gone = await alice.add('/kinds', { Subject: 'else' })
      await subscribe(alice, { filter: { criterion: [criterion] } })
      await alice.json('PUT', seen(gone))
      await alice.json('DELETE', gone)
      const attributes = { Subject: 'wanted', From: 'tel:+1555777', Date: '2031-05-05T00:00:00Z' }
      const fresh = await alice.add('/kinds', attributes)
      await client.until(1)
      const events = client.received.flatMap(({ list }) => list.nmsEvent)
      expect(events).toHaveLength(1)
      expect(JSON.stringify(events[0])).toContain(which === 'new' ? fresh : gone)
    })
  }

  test('tells of folders that are renamed, moved and deleted, and not of what is in them', async () => {
    const object = await alice.add('/f/one', {})
    const folder = await folderOf(alice, object)
    const f = (await alice.json('GET', folder)).body.parentFolder
    await subscribe(alice)
    await alice.json('PUT', `${folder}/folderName`, { name: 'two' })
    await becomes(() => client.received.length > 0 && client.received.at(-1)?.text.includes('"two"') === true)
    const root = (await alice.json('GET', '/folders/operations/pathToId')).body.resourceURL
    const sourceRefs = { folders: { folderReference: [{ resourceURL: folder }] }, objects: {} }
    const moved = { targetSourceRef: { targetRef: { resourceURL: root }, sourceRefs } }
    expect((await alice.json('POST', '/folders/operations/moveToFolder', moved)).status).toBe(200)
    await becomes(() => client.received.at(-1)?.text.includes(`"parentFolder":"${root}"`) === true)
    await alice.json('DELETE', folder)
    await becomes(() => client.received.at(-1)?.text.includes('deletedFolder') === true)
    const events = client.received.flatMap(({ list }) => list.nmsEvent)
    expect(events.map((event: object) => Object.keys(event)[0])).toEqual([
      'changedFolder',
      'changedFolder',
      'deletedObject',
      'deletedFolder',
    ])
    expect(events[1].changedFolder).toMatchObject({ name: 'two', parentFolder: root })
    expect(f).not.toBe(root)
  })
})

describe('a message over SIP', () => {
  test('is notified like any other change', async () => {
    const [from] = [await server.online('bob'), await server.online('alice')]
    await subscribe(alice)
    expect((await from.message(server.aor('alice'), 'are you there?')).status).toBe(200)
    await client.until(1)
    const changed = () =>
      client.received.flatMap(({ list }) => list.nmsEvent).flatMap(({ changedObject }) => changedObject ?? [])
    await becomes(() => changed().length > 0)
    const found = (await alice.json('GET', changed()[0].resourceURL)).body
    expect(found.attributes.attribute).toContainEqual({ name: 'TextContent', value: ['are you there?'] })
    expect(found.lastModSeq).toBe(changed()[0].lastModSeq)
  })
})

describe('strict synchronisation', () => {
  test('goes on from where the client was, on a subscription that is new or was there', async () => {
    const first = await subscribe(alice)
    const one = await alice.add('/strict', {})
    const two = await alice.add('/strict', {})
    await becomes(() => client.received.at(-1)?.text.includes(two) === true)
    const before = client.received.length
    const change = { nmsSubscriptionUpdate: { restartToken: first.restartToken } }
    const updated = await alice.json('POST', first.resourceURL, change)
    expect(updated.body).toMatchObject({ index: before + 1, restartToken: first.restartToken })
    await client.until(before + 1)
    expect(client.received[before]?.list.index).toBe(before + 1)
    for (const url of [one, two]) expect(client.received[before]?.text).toContain(url)
    await alice.json('DELETE', first.resourceURL)
    await alice.json('DELETE', one)
    const later = await subscribe(alice, { restartToken: first.restartToken })
    expect(later).toMatchObject({ index: 1, restartToken: first.restartToken })
    await client.until(before + 2)
    const { list, text } = client.received[before + 1] ?? { list: {}, text: '' }
    expect(list.index).toBe(1)
    expect(text).toContain(`"deletedObject":{"resourceURL":"${one}"`)
    expect(text).toContain(`"resourceURL":"${two}","lastModSeq"`)
  })

  test('begins again after a reset of the box, and after a token that is too old', async () => {
    await alice.add('/reset', {})
    const { resourceURL, restartToken } = await subscribe(alice)
    await server.query(`update mailboxes set modseq = modseq + 1, forgotten = modseq + 1, epoch = gen_random_uuid();
      select pg_notify('mailboxes', 'test ' || owner) from mailboxes`)
    await client.until(1)
    expect(client.received[0]?.list.nmsEvent).toEqual([{ resetBox: null }])
    const after = await alice.add('/reset', {})
    await becomes(() => client.received.at(-1)?.text.includes(after) === true)
    expect(client.received.map(({ list }) => list.index)).toEqual(client.received.map((_, at) => at + 1))
    const count = client.received.length
    await alice.json('POST', resourceURL, { nmsSubscriptionUpdate: { restartToken } })
    await client.until(count + 1)
    expect(client.received[count]?.list.nmsEvent).toEqual([{ resetBox: null }])
  })
})

describe('a notification channel', () => {
  const create = async (user: NmsUser, more: object = {}) => {
    const made = await user.json('POST', user.channels, {
      notificationChannel: { channelType: 'LongPolling', ...more },
    })
    expect(made.status, made.text).toBe(201)
    return made.body
  }
  const listsIn = (text: string) =>
    JSON.parse(text).notificationList.map((one: { nmsEventList: object }) => one.nmsEventList)

  test('is made, listed, prolonged and deleted', async () => {
    const asked = { clientCorrelator: 'x', applicationTag: 'app', channelLifetime: 600 }
    const made = await create(alice, { ...asked, channelData: { maxNotifications: 3 } })
    expect(made).toEqual({
      ...asked,
      channelType: 'LongPolling',
      channelData: { channelURL: `${made.resourceURL}/notifications`, maxNotifications: 3 },
      callbackURL: `${made.resourceURL}/callback`,
      resourceURL: expect.stringContaining(`${server.http}${alice.channels}/`),
    })
    expect((await alice.json('GET', alice.channels)).body.notificationChannel).toHaveLength(1)
    const lifetime = `${made.resourceURL}/channelLifetime`
    const prolonged = await alice.json('PUT', lifetime, { notificationChannelLifetime: { channelLifetime: 900 } })
    expect(prolonged.body).toEqual({ channelLifetime: 900 })
    expect((await alice.json('GET', lifetime)).body).toEqual({ channelLifetime: 900 })
    const path = `${bob.channels}/${made.resourceURL.split('/').at(-1)}`
    for (const method of ['GET', 'DELETE']) expect(faultIn(await bob.json(method, path))).toBe('404 SVC0004')
    expect(faultIn(await bob.json('GET', `${path}/notifications`))).toBe('404 SVC0004')
    expect((await alice.json('DELETE', made.resourceURL)).status).toBe(204)
    expect(faultIn(await alice.json('GET', made.resourceURL))).toBe('404 SVC0004')
    const xml = `<nc:notificationChannel xmlns:nc="urn:oma:xml:rest:netapi:notificationchannel:1"><channelType>LongPolling</channelType></nc:notificationChannel>`
    const inXml = await alice.xml('POST', alice.channels, xml)
    expect(inXml.status, inXml.text).toBe(201)
    expect(inXml.text).toContain(
      '<nc:notificationChannel xmlns:nc="urn:oma:xml:rest:netapi:notificationchannel:1"><channelType>',
    )
  })

  test('holds a poll until something happens, and answers with nothing after a while', async () => {
    const { channelData, callbackURL } = await create(alice)
    await subscribe(alice, {}, { notifyURL: callbackURL })
    const held = alice.json('GET', channelData.channelURL)
    const url = await alice.add('/polled', {})
    const texts: string[] = []
    for (let poll = await held; ; poll = await alice.json('GET', channelData.channelURL)) {
      texts.push(poll.text)
      if (poll.text.includes(url)) break
    }
    const lists = texts.flatMap(listsIn)
    expect(lists.map(({ index }) => index)).toEqual(lists.map((_, at) => at + 1))
    expect((await alice.json('POST', channelData.channelURL)).text).toBe('{"notificationList":[]}')
    expect(client.received).toHaveLength(0)
  })

  test('answers in XML', async () => {
    const { channelData, callbackURL } = await create(alice)
    await subscribe(alice, {}, { notifyURL: callbackURL })
    const url = await alice.add('/polled-xml', {})
    let text = ''
    while (!text.includes(url)) text = (await alice.xml('GET', channelData.channelURL)).text
    expect(text).toMatch(
      /^<\?xml [^>]*\?>\n<nc:notificationList xmlns:nc="[^"]*"><nms:nmsEventList xmlns:nms="[^"]*"><nmsEvent>/,
    )
  })

  test('gives a poll that was cut off to the next one', async () => {
    const { channelData, callbackURL } = await create(alice)
    await subscribe(alice, {}, { notifyURL: callbackURL })
    const stop = new AbortController()
    const cut = alice.json('GET', channelData.channelURL, undefined, stop.signal).catch(() => 'cut')
    stop.abort()
    expect(await cut).toBe('cut')
    const url = await alice.add('/cut', {})
    const seenLists: { index: number }[] = []
    while (!JSON.stringify(seenLists).includes(url)) {
      seenLists.push(...listsIn((await alice.json('GET', channelData.channelURL)).text))
    }
    expect(seenLists[0]?.index).toBe(1)
  })

  test('has one poll at a time: a second one ends the first', async () => {
    const { channelData, callbackURL } = await create(alice)
    await subscribe(alice, {}, { notifyURL: callbackURL })
    const first = alice.json('GET', channelData.channelURL)
    const second = alice.json('GET', channelData.channelURL)
    const ended = await Promise.race([first, second])
    expect(ended.text).toBe('{"notificationList":[]}')
    const url = await alice.add('/second', {})
    const texts = (await Promise.all([first, second])).map(({ text }) => text)
    while (!texts.some((text) => text.includes(url))) {
      texts.push((await alice.json('GET', channelData.channelURL)).text)
    }
  })

  test('that belongs to somebody else is called back by nobody', async () => {
    const { callbackURL } = await create(bob)
    expect(faultIn(await ask(alice, {}, { notifyURL: callbackURL }))).toBe('400 SVC0002')
  })

  test('takes its subscriptions with it', async () => {
    const { callbackURL, resourceURL } = await create(alice)
    const subscription = await subscribe(alice, {}, { notifyURL: callbackURL })
    await alice.json('DELETE', resourceURL)
    expect((await alice.json('GET', subscription.resourceURL)).status).toBe(404)
  })
})

describe('a server that ends', () => {
  test('answers the polls that it holds, and goes on with what it had to tell when it is back', async () => {
    const held = { ...settings, 'storage.notifications.pollFor': '25s', 'storage.notifications.giveUpAfter': '1m' }
    const first = await startServer({ databaseUrl: server.databaseUrl, settings: held })
    const user = await NmsUser.of(first, 'bob')
    await subscribe(user)
    const channel = { notificationChannel: { channelType: 'LongPolling' } }
    const poll = user.json('GET', (await user.json('POST', user.channels, channel)).body.channelData.channelURL)
    await becomes(async () => (await first.metric('parley_store_polls')) === 1)
    await first.stop()
    expect((await poll).text).toBe('{"notificationList":[]}')
    client.answers = [503]
    const url = await bob.add('/while-away', {})
    await becomes(
      () => client.received.length >= 2 && client.received.some(({ text }) => text.includes(url.slice(-36))),
    )
    expect(client.received.slice(0, 2).map(({ list }) => list.index)).toEqual([1, 1])
  })
})

describe('with two nodes', () => {
  test('a client is told once of what happens at either, and a poll at one hears of the other', async () => {
    await using other = await startServer({ databaseUrl: server.databaseUrl, settings })
    const [here, there] = [await NmsUser.of(server, 'carol'), await NmsUser.of(other, 'carol')]
    await subscribe(here)
    const channel = { notificationChannel: { channelType: 'LongPolling' } }
    const { channelData, callbackURL } = (await there.json('POST', there.channels, channel)).body
    await subscribe(there, {}, { notifyURL: callbackURL })
    const held = there.json('GET', channelData.channelURL)
    const urls: string[] = []
    for (let at = 0; at < 10; at++) urls.push((await (at % 2 === 0 ? here : there).add('/nodes', {})).slice(-36))
    await becomes(() => urls.every((id) => client.received.some(({ text }) => text.includes(id))))
    const events = client.received.flatMap(({ list }) => list.nmsEvent).filter((event) => 'changedObject' in event)
    expect(events.map(({ changedObject }) => changedObject.resourceURL.slice(-36))).toEqual(urls)
    expect(client.received.map(({ list }) => list.index)).toEqual(client.received.map((_, at) => at + 1))
    expect((await held).text).toContain('nmsEvent')
    expect(
      (await server.metric('parley_store_notifications_taken_total')) +
        (await other.metric('parley_store_notifications_taken_total')),
    ).toBeGreaterThanOrEqual(client.received.length)
  })
})

describe('what is no request', () => {
  test('gets the error that NMS names, in both formats', async () => {
    const path = '/subscriptions'
    expect(faultIn(await alice.send('POST', path, '{"nmsSubscription":', 'application/json'))).toBe('400 SVC0002')
    expect(faultIn(await alice.json('POST', path, { other: {} }))).toBe('400 SVC0002')
    expect(faultIn(await alice.json('POST', path))).toBe('400 SVC0002')
    const nms = 'xmlns:nms="urn:oma:xml:rest:netapi:nms:1"'
    const bodies = [
      `<nms:nmsSubscription ${nms}><callbackReference><notifyURL>http://8.8.8.8/</notifyURL></callbackReference><index>4</index></nms:nmsSubscription>`,
      `<nms:nmsSubscription ${nms}><duration>5</duration></nms:nmsSubscription>`,
      `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><nms:nmsSubscription ${nms}>&b;</nms:nmsSubscription>`,
      `<nmsSubscription/>`,
    ]
    for (const body of bodies) {
      const answer = await alice.xml('POST', path, body)
      expect([answer.status, /<messageId>(\w+)</.exec(answer.text)?.[1]], body).toEqual([400, 'SVC0002'])
    }
    const text = await alice.send('POST', path, 'hello', 'text/plain')
    expect([415, 406]).toContain(text.status)
    expect((await alice.json('PUT', path)).status).toBe(405)
    expect((await alice.json('GET', '/subscriptions/none')).status).toBe(404)
    expect((await alice.json('GET', `${alice.channels}/none/notifications`)).status).toBe(404)
    const nobody = new NmsUser(server, 'wrong')
    expect((await nobody.json('GET', path)).status).toBe(401)
    expect((await nobody.json('GET', nobody.channels)).status).toBe(401)
    const others = new NmsUser(server, 'x', encodeURIComponent(server.aor('bob')))
    expect(faultIn(await alice.json('GET', others.channels))).toBe('403 POL0001')
  })
})
