import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Archive, type Mailboxes, type NewObject } from '../../../src/enablers/message-store/index.ts'
import { type TestDatabase, testDatabase } from '../../support/database.ts'
import { anObject, mailboxesOn } from '../../support/mailbox.ts'
import { anyObject, inPieces, whole } from './archive-fixtures.ts'

let database: TestDatabase
let mailboxes: Mailboxes
let archive: Archive
beforeAll(async () => {
  database = await testDatabase()
  mailboxes = mailboxesOn(database)
  archive = new Archive(mailboxes)
})
afterAll(async () => {
  await mailboxes.close()
  await database.close()
})

const user = 'sip:alice@parley.test'
let owners = 100
const newOwner = () => ++owners

const write = (owner: number, format: 'jsonl' | 'mbox') => whole(archive.export(owner, user, format))

/** The archive taken in, and the lines that were not. */
async function take(owner: number, file: Buffer, pieceSize?: number) {
  const faults: string[] = []
  const onFault = (line: number, fault: string) => void faults.push(`${line}: ${fault}`)
  return { ...(await archive.import(owner, inPieces(file, pieceSize), { onFault })), said: faults }
}

async function filled(objects: readonly NewObject[]): Promise<number> {
  const owner = newOwner()
  for (const made of await mailboxes.createMany(owner, objects)) expect(made).not.toBeInstanceOf(Error)
  return owner
}

describe.each(['jsonl', 'mbox'] as const)('%s', (format) => {
  test('what was exported, and imported by somebody else, is exported the same; a second import changes nothing', async () => {
    const objects = fc.uniqueArray(anyObject, { maxLength: 6, selector: ({ id }) => id })
    const property = async (all: readonly (NewObject & { id: string })[], disposition: number, pieceSize: number) => {
      const one = await filled(all)
      if (all[0] !== undefined) await mailboxes.update(one, all[0].id, { disposition })
      await mailboxes.folderAt(one, ['Default', 'empty'])
      const [exact, file] = [await write(one, 'jsonl'), await write(one, format)]
      const other = newOwner()
      const check: string[] = []
      await archive.check(inPieces(file), (line, fault) => void check.push(`${line}: ${fault}`))
      expect(check).toEqual([])
      expect(await take(other, file, pieceSize)).toEqual({ added: all.length, known: 0, faults: 0, said: [] })
      expect((await write(other, 'jsonl')).toString()).toBe(exact.toString())
      expect((await write(other, format)).equals(file)).toBe(true)
      const before = await mailboxes.state(other)
      expect(await take(other, file)).toEqual({ added: 0, known: all.length, faults: 0, said: [] })
      expect(await mailboxes.state(other)).toEqual(before)
    }
    await fc.assert(
      fc.asyncProperty(objects, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 100, max: 99_999 }), property),
      {
        numRuns: 30,
        interruptAfterTimeLimit: 30_000,
        endOnFailure: true,
      },
    )
  })

  test('an import that was cut off goes on where it ended', async () => {
    const one = await filled(Array.from({ length: 350 }, (_, at) => anObject({ text: `message ${at}` })))
    const file = await write(one, format)
    const other = newOwner()
    const half = await take(other, file.subarray(0, Math.floor(file.length / 2)))
    expect(half.added).toBeGreaterThan(100)
    expect(half.added).toBeLessThan(250)
    const rest = await take(other, file)
    expect([rest.known, rest.added, rest.faults]).toEqual([half.added, 350 - half.added, 0])
    expect((await write(other, 'jsonl')).equals(await write(one, 'jsonl'))).toBe(true)
  })

  test('a large part passes in pieces both ways', async () => {
    const piece = Buffer.alloc(2 ** 20, 'parley')
    async function* large() {
      for (let at = 0; at < 24; at++) yield piece
    }
    const parts = [{ contentType: 'video/mp4', fileName: 'film.mp4', content: large() }]
    const one = await filled([anObject({ parts }), anObject()])
    const pieces: number[] = []
    const other = newOwner()
    async function* watched(source: AsyncIterable<Buffer>) {
      for await (const bytes of source) {
        pieces.push(bytes.length)
        yield bytes
      }
    }
    const onFault = (line: number, fault: string) => expect.fail(`${line}: ${fault}`)
    await archive.import(other, watched(archive.export(one, user, format)), { onFault })
    expect(Math.max(...pieces)).toBeLessThan(2 ** 19)
    expect((await mailboxes.state(other)).bytes).toBe((await mailboxes.state(one)).bytes)
    expect((await write(other, 'jsonl')).equals(await write(one, 'jsonl'))).toBe(true)
  })

  test('who has no room is told, and what was taken by then stays', async () => {
    const one = await filled(Array.from({ length: 5 }, () => anObject()))
    const small = mailboxesOn(database, { maxObjects: 3 })
    const other = newOwner()
    const onFault = () => expect.fail('no line is bad')
    const importing = new Archive(small).import(other, inPieces(await write(one, format)), { onFault })
    await expect(importing).rejects.toMatchObject({ condition: 'mailbox-full' })
    expect((await small.state(other)).objects).toBe(3)
    small.close()
  })
})

test('an mbox says in the words of mail and of CPM what it holds', async () => {
  const owner = await filled([
    anObject({
      ...{ id: '11111111-2222-4333-8444-555555555555', date: Date.parse('2026-03-04T05:06:07.089Z') },
      ...{ correlationId: 'imdn-1', conversationId: 'conv-1', contributionId: 'contr-1' },
      attributes: { Subject: ['Grüße'], 'P-Asserted-Service': ['urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg'] },
      flags: ['\\Seen', '\\Answered', 'mine'],
      payload: { contentType: 'text/plain', content: Buffer.from('From me\n>From you\nbye') },
      parts: [{ contentType: 'image/png', contentId: '<one>', fileName: 'a.png', content: Buffer.from([0, 1, 2]) }],
    }),
  ])
  const text = (await write(owner, 'mbox')).toString()
  const mail = text.slice(text.indexOf('\n\nFrom ') + 2)
  expect(mail).toMatch(
    /^From tel:\+15550100 Wed Mar {2}4 05:06:07 2026\nFrom: <tel:\+15550100>\nTo: <sip:alice@parley\.test>\n/,
  )
  for (const line of [
    'Date: Wed, 04 Mar 2026 05:06:07 +0000',
    'Subject: =?utf-8?B?R3LDvMOfZQ==?=',
    'P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg',
    'Conversation-ID: conv-1',
    'Contribution-ID: contr-1',
    'IMDN-Message-ID: imdn-1',
    'Message-Direction: received',
    'X-Folder: Default/tel:+15550100',
    'Status: RO',
    'X-Status: A',
    'X-Keywords: mine',
    'Content-Type: multipart/mixed; boundary="parley-11111111-2222-4333-8444-555555555555"',
    '>From me',
    '>>From you',
    'Content-ID: <one>',
    'Content-Disposition: attachment; filename="a.png"',
    'AAEC',
  ]) {
    expect(mail.split('\n')).toContain(line)
  }
})

test('flags that a mail reader has changed are those of the import', async () => {
  const one = await filled([anObject({ flags: ['\\Seen', 'mine'] })])
  const file = (await write(one, 'mbox'))
    .toString()
    .replace(/Status: RO\nX-Status: \nX-K/, 'Status: O\nX-Status: F\nX-K')
  const other = newOwner()
  await take(other, Buffer.from(file))
  for await (const { flags } of mailboxes.all(other)) expect([...flags].sort()).toEqual(['\\Flagged', 'mine'])
})

test('an mbox of another program is taken in, each mail once', async () => {
  const file = Buffer.from(
    `From bob@example.org Wed Mar  4 05:06:07 2026
From: Bob <bob@example.org>
To: alice@parley.test
Date: Wed, 04 Mar 2026 05:06:07 +0000
Subject: lunch
Content-Type: text/plain;
 charset=utf-8
Content-Transfer-Encoding: quoted-printable
Status: RO

>From the caf=C3=A9=
!

From bob@example.org Wed Mar  4 05:06:08 2026
From: bob@example.org
To: <sip:alice@parley.test>
Date: Wed, 04 Mar 2026 05:06:08 +0000
Content-Transfer-Encoding: base64

aGVs
bG8=
`,
  )
  const owner = newOwner()
  expect(await take(owner, file, 7)).toEqual({ added: 2, known: 0, faults: 0, said: [] })
  expect(await take(owner, file)).toMatchObject({ added: 0, known: 2 })
  const found: unknown[] = []
  for await (const { id, peer, direction, flags, contentType, attributes } of mailboxes.all(owner)) {
    const text = (await (await mailboxes.content(owner, id))?.buffer(1000))?.toString()
    found.push({ peer, direction, flags, contentType, attributes, text })
  }
  const common = { peer: 'sip:bob@example.org', direction: 'in' }
  expect(found).toEqual([
    {
      ...common,
      flags: ['\\Seen'],
      contentType: 'text/plain; charset=utf-8',
      attributes: { Subject: ['lunch'] },
      text: 'From the café!',
    },
    { ...common, flags: [], contentType: 'text/plain', attributes: {}, text: 'hello' },
  ])
})

describe('bad lines', () => {
  const good = async () => (await write(await filled([anObject({ text: 'good' })]), 'jsonl')).toString()
  const object = async (change: object) => {
    const line = (await good()).split('\n').find((one) => one.startsWith('{"object"')) ?? ''
    return JSON.stringify({ object: { ...JSON.parse(line).object, ...change } })
  }
  const payload = { contentType: 'text/plain', size: 4 }
  const chunk = '{"chunk":"YWJjZA=="}'

  test.each<[string, () => Promise<string> | string]>([
    ['no JSON', () => '{"object":'],
    ['another value', () => '[]'],
    ['a field of its own', () => object({ more: 1 })],
    ['no UUID', () => object({ id: "'; drop table messages" })],
    ['another kind', () => object({ kind: 'mail' })],
    ['a date that is none', () => object({ date: 'yesterday' })],
    ['a folder that is nowhere', () => object({ folder: `../../other${'/x'.repeat(40)}` })],
    ['fewer bytes than it claims', () => object({ payload: { ...payload, size: 5, base64: 'YWJjZA==' } })],
    ['bytes that are no base64', () => object({ payload: { ...payload, base64: '$$$$' } })],
    ['chunks that are missing', () => object({ payload: { ...payload, chunks: 2 } })],
    [
      'chunks that are too short',
      async () => `${await object({ payload: { ...payload, size: 9, chunks: 1 } })}\n${chunk}`,
    ],
    [
      'chunks that are too long',
      async () => `${await object({ payload: { ...payload, size: 3, chunks: 1 } })}\n${chunk}`,
    ],
    ['a chunk without an object', () => chunk],
    ['a line without end', () => `{"x":"${'x'.repeat(17 * 2 ** 20)}`],
    ['an object nested a thousand deep', () => `${'{"object":'.repeat(1000)}1${'}'.repeat(1000)}`],
    ['a prototype', () => '{"__proto__":{"object":1}}'],
  ])('%s is said by its number, and the lines around it are taken', async (_, bad) => {
    const owner = newOwner()
    const file = Buffer.from(`${await good()}${await bad()}\n${await good()}`)
    const { added, faults, said } = await take(owner, file)
    expect([added, faults, said.length]).toEqual([2, 1, 1])
    expect(said[0]).toMatch(/^5: /)
    expect((await mailboxes.state(owner)).objects).toBe(2)
    expect(await chunksOf(owner)).toBe(0)
  })

  test('a check says of every bad line what is wrong with it, and writes nothing', async () => {
    const file = Buffer.from(`${await good()}{\n${await object({ payload: { ...payload, chunks: 2 } })}\n`)
    const said: number[] = []
    await archive.check(inPieces(file), (line) => void said.push(line))
    expect(said).toEqual([5, 6])
  })

  test('random bytes are no archive, and do no harm', async () => {
    const owner = newOwner()
    const garbage = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes))
    const mangled = fc.tuple(fc.constantFrom('{', 'From a Wed Mar  4 05:06:07 2026\n'), garbage)
    await fc.assert(
      fc.asyncProperty(mangled, async ([start, rest]) => {
        expect((await take(owner, Buffer.concat([Buffer.from(start), rest]))).added).toBe(0)
      }),
      { numRuns: 200, interruptAfterTimeLimit: 20_000 },
    )
  })

  const chunksOf = async (owner: number) => {
    const { rows } = await database.database.knex.raw('select count(*)::int as n from chunks where owner = ?', [owner])
    return rows[0].n
  }
})
