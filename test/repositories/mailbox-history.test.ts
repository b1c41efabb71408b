import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { DeferredMessages } from '../../src/controllers/message/deferred-messages.ts'
import { firstRowId, lastRowId } from '../../src/controllers/message/message-id.ts'
import { PagerMessage, type Sender } from '../../src/controllers/message/pager-message.ts'
import {
  type Commit,
  type HistoryOptions,
  StoredMessages,
  storedMessage,
} from '../../src/controllers/message/stored-messages.ts'
import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../src/protocols/sip/message.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { anObject, mailboxesOn, nobody } from '../support/mailbox.ts'

const db: TestDatabase = await testDatabase()
const boxes = mailboxesOn(db)
const told: string[] = []
const history: HistoryOptions = {
  ...{ maxBytes: 0, maxObjects: 0, languages: ['simple', 'english'] },
  changed: (owner) => told.push(`changed ${owner}`),
  full: (owner) => told.push(`full ${owner}`),
}
const stored = new StoredMessages({ ...db, history })
const queue = new DeferredMessages(db)
afterAll(async () => {
  await stored.close()
  await queue.close()
  boxes.close()
  await db.close()
})
let lastOwner = 0
const newOwner = () => ++lastOwner
const started = Date.now()
let arrival = started * 1000
const alice: Sender = {
  aor: 'sip:alice@parley.test',
  subscriber: { id: 1, identities: ['sip:alice@parley.test', 'tel:+15550001'] },
  trusted: false,
  anonymous: false,
}

interface Said {
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string | Buffer
  readonly sender?: Partial<Sender>
  readonly callId?: string
}

function say({ headers = [], body = 'are you there?', sender = {}, callId = randomUUID() }: Said = {}): PagerMessage {
  const fields = new Headers([
    ['From', '"A" <sip:alice@parley.test>;tag=a'],
    ['To', '<sip:bob@parley.test>'],
    ['Call-ID', callId],
    ['CSeq', '1 MESSAGE'],
    ['Conversation-ID', 'conv-1'],
    ['Contribution-ID', 'contrib-1'],
    ...(headers.some(([name]) => name === 'Content-Type') ? [] : ([['Content-Type', 'text/plain']] as const)),
    ...headers,
  ])
  return new PagerMessage({
    request: new SipRequest('MESSAGE', 'sip:bob@parley.test', fields, Buffer.from(body)),
    sender: { ...alice, ...sender },
    recipient: 'sip:bob@parley.test',
    arrived: ++arrival,
    newId: randomUUID,
    isLocal: () => true,
  })
}

/** For a recipient, and for a sender who has a copy. */
function both(message: PagerMessage, owner: number, copy?: number): Commit {
  return {
    message: storedMessage(message, owner, 'in', true),
    ...(copy !== undefined && {
      copy: storedMessage(message, copy, 'out', true, ['sip:bob@parley.test', 'tel:+15550002']),
    }),
    waiting: [],
  }
}

const all = async (owner: number) => (await boxes.search(owner, { limit: 100 })).objects
const cpim = (headers: string, content: string, body: string) =>
  `From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:bob@parley.test>\r\nNS: imdn <urn:ietf:params:imdn>\r\n${headers}\r\n${content}\r\n\r\n${body}`

test('a message is an object of both, each in the folder of the other one', async () => {
  const [bob, sender] = [newOwner(), newOwner()]
  const body = cpim('imdn.Message-ID: imdn-7\r\n', 'Content-Type: text/plain; charset=utf-8', 'Grüße & ponies')
  const message = say({
    headers: [
      ['Content-Type', 'message/cpim'],
      ['Subject', Buffer.from('Über uns').toString('latin1')],
      ['P-Preferred-Service', 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg'],
    ],
    body,
  })
  expect(await stored.commit(both(message, bob, sender))).toBe(true)
  const [[got], [sent]] = [await all(bob), await all(sender)]
  expect(got).toMatchObject({
    ...{
      kind: 'message',
      direction: 'in',
      flags: [],
      correlationId: 'imdn-7',
      conversationId: 'conv-1',
      contributionId: 'contrib-1',
    },
    ...{ contentType: 'message/cpim', size: Buffer.byteLength(body), date: Math.floor(message.arrived / 1000) },
    parts: [{ number: 1, contentType: 'text/plain; charset=utf-8', size: 16 }],
  })
  expect(got?.attributes).toMatchObject({
    From: ['sip:alice@parley.test'],
    To: ['sip:bob@parley.test'],
    Subject: ['Über uns'],
    Direction: ['In'],
    'Message-Context': ['pager-message'],
    'IMDN-Message-ID': ['imdn-7'],
    'Conversation-ID': ['conv-1'],
    'P-Asserted-Service': ['urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg'],
  })
  expect(sent).toMatchObject({
    direction: 'out',
    flags: ['\\Seen'],
    attributes: { Direction: ['Out'] },
    peer: 'sip:bob@parley.test',
  })
  const paths = [await boxes.folder(bob, got?.folder ?? ''), await boxes.folder(sender, sent?.folder ?? '')]
  expect(paths.map((folder) => folder?.path)).toEqual(['Default/tel:+15550001', 'Default/tel:+15550002'])
  const id = got?.id ?? ''
  expect((await (await boxes.content(bob, id))?.buffer(10_000))?.toString()).toBe(body)
  expect((await (await boxes.part(bob, id, 1))?.buffer(10_000))?.toString()).toBe('Grüße & ponies')
  expect(await boxes.textsOf(bob, [id])).toEqual(new Map([[id, 'Grüße & ponies']]))
  expect((await boxes.searchToShow(bob, { limit: 9 })).objects).toEqual([
    { ...got, text: 'Grüße & ponies', folderPath: 'Default/tel:+15550001' },
  ])
  expect(await all(newOwner())).toEqual([])
  const english = mailboxesOn(db, { languages: ['simple', 'english'] })
  for (const value of ['grüsse', 'GRÜSSE', 'pony', 'über', 'alice']) {
    const found = await english.search(bob, { criteria: { type: 'text', value }, limit: 9 })
    expect([value, found.objects.length]).toEqual([value, value === 'grüsse' || value === 'GRÜSSE' ? 0 : 1])
  }
  english.close()
})

test('who wanted to be nobody has a folder of nobody', async () => {
  const bob = newOwner()
  const anonymous = [['From', '<sip:anonymous@anonymous.invalid>;tag=x']] as const
  const fields = new Headers([
    ...anonymous,
    ['To', '<sip:bob@parley.test>'],
    ['Call-ID', 'c'],
    ['CSeq', '1 MESSAGE'],
    ['Privacy', 'id'],
  ])
  const request = new SipRequest('MESSAGE', 'sip:bob@parley.test', fields, Buffer.from('boo'))
  const message = new PagerMessage({
    ...{ request, sender: { ...alice, anonymous: true }, recipient: 'sip:bob@parley.test', arrived: ++arrival },
    ...{ newId: randomUUID, isLocal: () => true },
  })
  await stored.commit(both(message, bob))
  const [object] = await all(bob)
  expect(JSON.stringify(object)).not.toContain('alice')
  expect(await boxes.byPath(bob, 'Default/sip:anonymous@anonymous.invalid')).toMatchObject({ kind: 'folder' })
})

test('what tells of an uploaded file is a file, with what is said of it', async () => {
  const bob = newOwner()
  const body = `<?xml version="1.0"?><file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp"><file-info type="thumbnail">
    <file-size>10</file-size></file-info><file-info type="file"><file-size>2048</file-size><file-name>a &amp; b.png</file-name>
    <content-type>image/png</content-type><data url="https://files.parley.test/x" until="2030-01-01T00:00:00Z"/></file-info></file>`
  await stored.commit(both(say({ headers: [['Content-Type', 'application/vnd.gsma.rcs-ft-http+xml']], body }), bob))
  const [object] = await all(bob)
  expect(object).toMatchObject({
    kind: 'file',
    attributes: {
      'File-Name': ['a & b.png'],
      'File-Size': ['2048'],
      'File-Type': ['image/png'],
      'File-URL': ['https://files.parley.test/x'],
    },
  })
})

test('bodies that are not what they say are stored as they came', async () => {
  const bob = newOwner()
  const said: Said[] = [
    { headers: [['Content-Type', 'message/cpim']], body: 'no headers at all' },
    {
      headers: [
        ['Content-Type', 'message/cpim'],
        ['Content-Encoding', 'gzip'],
      ],
      body: 'not gzip',
    },
    { headers: [['Content-Type', 'multipart/mixed']], body: 'no boundary' },
    { headers: [['Content-Type', 'application/vnd.gsma.rcs-ft-http+xml']], body: '<file><file-info type="file">' },
    { body: Buffer.from([0, 0xff, 0xfe, 0x41]) },
    { body: 'x'.repeat(200_000) },
  ]
  const committed = await Promise.all(said.map((one) => stored.commit(both(say(one), bob))))
  expect(committed).toEqual(said.map(() => true))
  const objects = await all(bob)
  expect(objects).toHaveLength(said.length)
  for (const { id, size } of objects)
    expect((await (await boxes.content(bob, id))?.buffer(1_000_000))?.length).toBe(size)
})

test('a message of the longest ids and the most words is stored, and fails none of its neighbours', async () => {
  const bob = newOwner()
  const languages = ['simple', 'english', 'german', 'french', 'russian']
  const many = new StoredMessages({ ...db, history: { ...history, languages } })
  const id = randomBytes(7_000).toString('hex')
  const words = Array.from({ length: 60_000 }, (_, n) =>
    String.fromCodePoint(0x10400 + (n % 40), 0x4e00 + (n % 20_000)),
  ).join(' ')
  const said: Said[] = [
    {
      headers: [['Content-Type', 'message/cpim']],
      body: cpim(`imdn.Message-ID: ${id}\r\n`, 'Content-Type: text/plain', words),
    },
    { callId: id, headers: [['Subject', 'x'.repeat(60_000)]] },
    {},
  ]
  const committed = await Promise.all(said.map((one) => many.commit(both(say(one), bob))))
  expect(committed).toEqual([true, true, true])
  const criteria = { type: 'attribute', name: 'IMDN-Message-ID', value: id.slice(0, 900), match: 'equals' } as const
  expect((await boxes.search(bob, { criteria, limit: 9 })).objects).toHaveLength(2)
  const long = await boxes.create(
    bob,
    anObject({ correlationId: id, text: words, conversationId: id, contributionId: id }),
  )
  expect(long.correlationId).toHaveLength(255)
  await many.close()
})

test('a message that is known changes nothing, neither row nor count', async () => {
  const [bob, sender] = [newOwner(), newOwner()]
  const callId = randomUUID()
  const commits = () => both(say({ callId }), bob, sender)
  const results = await Promise.all([
    stored.commit(commits()),
    stored.commit(commits()),
    stored.commit(both(say(), bob)),
  ])
  expect(results).toEqual([true, false, true])
  expect(await stored.commit(commits())).toBe(false)
  expect([(await boxes.state(bob)).objects, (await boxes.state(sender)).objects]).toEqual([2, 1])
})

test('what is not stored is in no mailbox, also where it waits for a device', async () => {
  const bob = newOwner()
  const message = say()
  const waiting = [{ device: 'a', attempts: 0, nextAt: started, expiresAt: started + 60_000 }]
  await stored.commit({ message: storedMessage(message, bob, 'in', false), waiting })
  expect(await all(bob)).toEqual([])
  expect(await boxes.find(bob, message.id)).toBeUndefined()
  expect(await boxes.state(bob)).toMatchObject({ objects: 0, bytes: 0 })
})

test('a full mailbox keeps what waits, and nothing of it becomes history; others keep theirs', async () => {
  const [bob, sender] = [newOwner(), newOwner()]
  const small = new StoredMessages({ ...db, history: { ...history, maxObjects: 2 } })
  await small.commit(both(say(), bob))
  told.length = 0
  const results = await Promise.all([small.store(both(say(), bob, sender)), small.store(both(say(), bob, sender))])
  expect(results).toEqual([
    { isNew: true, full: false, copyFull: false },
    { isNew: true, full: true, copyFull: false },
  ])
  expect(told.sort()).toEqual([`changed ${bob}`, `changed ${sender}`, `changed ${sender}`, `full ${bob}`].sort())
  const last = say()
  const waiting = [{ device: 'a', attempts: 0, nextAt: started, expiresAt: started + 60_000 }]
  expect(await small.store({ ...both(last, bob, sender), waiting })).toEqual({
    isNew: true,
    full: true,
    copyFull: true,
  })
  expect(small.refusedCopyOf(last)).toBe(true)
  const claimed = await queue.claim({
    ...{ owner: bob, device: 'a', after: 0, dueBy: started, now: started },
    until: started + 1000,
    limit: 9,
  })
  expect(claimed).toHaveLength(1)
  await queue.settle(claimed.map(({ owner, arrived, message }) => ({ owner, device: 'a', arrived, message })))
  expect(await all(bob)).toHaveLength(2)
  expect(await db.database.knex('messages').where({ owner: bob })).toHaveLength(2)
  await small.close()
})

test('a notification moves the state of both copies, and what the reader has seen is seen', async () => {
  const [bob, sender] = [newOwner(), newOwner()]
  const message = say({ callId: 'call-9' })
  await stored.commit(both(message, bob, sender))
  const { modseq } = await boxes.state(bob)
  const ids = {
    owners: [bob, sender],
    firstId: firstRowId('sip:alice@parley.test', 'call-9'),
    lastId: lastRowId('sip:alice@parley.test', 'call-9'),
  }
  await stored.advance({ ...ids, disposition: 3 })
  const [delivered] = (await boxes.changes(bob, modseq, 10)).objects
  expect(delivered).toMatchObject({ disposition: 3, flags: [], modseq: modseq + 1 })
  await stored.advance({ ...ids, disposition: 5, reader: bob })
  expect((await boxes.changes(bob, modseq + 1, 10)).objects).toMatchObject([{ disposition: 5, flags: ['\\Seen'] }])
  expect((await all(sender))[0]).toMatchObject({ disposition: 5, flags: ['\\Seen'] })
  const before = await boxes.state(bob)
  expect(await stored.advance({ ...ids, disposition: 5, reader: bob })).toMatchObject([
    { advanced: false },
    { advanced: false },
  ])
  expect(await boxes.state(bob)).toEqual(before)
})

test('a message that its owner removes waits for nobody any more, and one that waits does not expire', async () => {
  const bob = newOwner()
  const [first, second] = [say(), say()]
  const waiting = [{ device: 'a', attempts: 0, nextAt: started, expiresAt: started + 60_000 }]
  for (const message of [first, second]) await stored.commit({ ...both(message, bob), waiting })
  await boxes.remove(bob, [first.id])
  expect(await db.database.knex('deferred').where({ owner: bob })).toHaveLength(1)
  const later = mailboxesOn(db, { keepDays: 1, now: () => Date.now() + 5 * 86_400_000 })
  await later.sweep(nobody(), new AbortController().signal)
  expect(await all(bob)).toHaveLength(1)
  await db.database.knex('deferred').where({ owner: bob }).delete()
  await later.sweep(nobody(), new AbortController().signal)
  expect(await all(bob)).toEqual([])
  later.close()
})

test('removing the row of a message takes it out of the mailbox as well', async () => {
  const bob = newOwner()
  const message = say()
  await stored.commit(both(message, bob))
  const { modseq } = await boxes.state(bob)
  await stored.remove(bob, message.id)
  expect((await boxes.changes(bob, modseq, 9)).removedObjects).toHaveLength(1)
  expect(await boxes.state(bob)).toMatchObject({ objects: 0, bytes: 0 })
})

test('a list shows the text of each message, also of one too long to be kept beside it, and none of what is very large', async () => {
  const bob = newOwner()
  const bodies = ['short', 'l'.repeat(10_000), 'x'.repeat(17_000)]
  for (const body of bodies) await stored.commit({ ...both(say({ body }), bob), waiting: [] })
  const listed = await boxes.searchToShow(bob, { limit: 9, sort: { by: 'date', descending: false } })
  expect(listed.objects.map(({ text }) => text)).toEqual([bodies[0], bodies[1], undefined])
  expect([...(await boxes.textsOf(bob, [listed.objects[2]?.id ?? ''])).values()]).toEqual([bodies[2]])
})

test('an edited message is what was made of it, and as long as it waits its devices get what was sent', async () => {
  const bob = newOwner()
  const message = say({ body: 'zucchini' })
  const waiting = [{ device: 'a', attempts: 0, nextAt: started, expiresAt: started + 60_000 }]
  await stored.commit({ ...both(message, bob), waiting })
  const edit = (text: string) =>
    boxes.update(bob, message.id, { text, payload: { contentType: 'text/plain', content: Buffer.from(text) } })
  await edit('aubergine')
  expect((await queue.requestOf(bob, message.id))?.toString()).toContain('zucchini')
  expect((await (await boxes.content(bob, message.id))?.buffer(99))?.toString()).toBe('aubergine')
  await db.database.knex('deferred').where({ owner: bob }).delete()
  expect(await edit('courgette')).toMatchObject({ size: 9, parts: [] })
  const [row] = await db.database.knex('messages').where({ owner: bob })
  expect(row.request).toBeNull()
  expect([...(await boxes.textsOf(bob, [message.id])).values()]).toEqual(['courgette'])
})

test('messages and objects made side by side share folders and sequences', async () => {
  const [bob, sender] = [newOwner(), newOwner()]
  const work = Array.from({ length: 60 }, (_, n) =>
    n % 3 === 0
      ? boxes.create(bob, anObject({ peer: 'tel:+15550001' }))
      : stored.commit(both(say(), n % 3 === 1 ? bob : sender, n % 3 === 1 ? sender : bob)),
  )
  await Promise.all(work)
  for (const owner of [bob, sender]) {
    const objects = await all(owner)
    const { objects: count, modseq } = await boxes.state(owner)
    expect(objects).toHaveLength(count)
    expect(new Set(objects.map((one) => one.modseq)).size).toBe(count)
    expect(Math.max(...objects.map((one) => one.modseq))).toBeLessThanOrEqual(modseq)
  }
})
