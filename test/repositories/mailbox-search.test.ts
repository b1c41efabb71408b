import { afterAll, expect, test } from 'vitest'
import { type Criterion, rootId, type Selection, type StoredObject } from '../../src/enablers/message-store/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { anObject, mailboxesOn } from '../support/mailbox.ts'

const db: TestDatabase = await testDatabase()
const boxes = mailboxesOn(db, { languages: ['simple', 'english', 'german'] })
afterAll(async () => {
  boxes.close()
  await db.close()
})
let lastOwner = 0
const newOwner = () => ++lastOwner

const find = async (owner: number, criteria: Criterion, change: Partial<Selection> = {}) =>
  (await boxes.search(owner, { criteria, limit: 100, ...change })).objects.map(
    ({ attributes }) => attributes.Subject?.[0],
  )

/** Objects named by their subjects, of which the words are no part. */
async function fill(owner: number, texts: Readonly<Record<string, string>>): Promise<Record<string, StoredObject>> {
  const made: Record<string, StoredObject> = {}
  for (const [name, text] of Object.entries(texts)) {
    made[name] = await boxes.create(owner, anObject({ text, attributes: { Subject: [name] } }))
  }
  return made
}

test('words are found in several languages, as beginnings, in any case, and only those of the owner', async () => {
  const [owner, other] = [newOwner(), newOwner()]
  await fill(owner, {
    en: 'The ponies were running home',
    de: 'Zwei Häuser und ein Garten',
    zh: '我喜欢喝茶',
    mail: 'write to bob@example.com',
  })
  await fill(other, { en: 'ponies' })
  const words = (value: string) => find(owner, { type: 'text', value })
  expect(await words('pony')).toEqual(['en'])
  expect(await words('RAN running')).toEqual([])
  expect(await words('runs home')).toEqual(['en'])
  expect(await words('Haus')).toEqual(['de'])
  expect(await words('gart')).toEqual(['de'])
  expect(await words('喝茶')).toEqual(['zh'])
  expect(await words('茶喝')).toEqual([])
  expect(await words('example.com')).toEqual(['mail'])
  expect(await words('the')).toEqual(['en'])
  expect(await words('-')).toEqual([])
})

test('whole words are what they are: no beginnings, no other forms, next to each other', async () => {
  const owner = newOwner()
  await fill(owner, { a: 'the cats sat down', b: 'a cat sat up' })
  const whole = (value: string, name?: string) =>
    find(owner, { type: 'whole-word', value, ...(name !== undefined && { name }) })
  expect(await whole('cat')).toEqual(['b'])
  expect(await whole('cat sat')).toEqual(['b'])
  expect(await whole('cats down')).toEqual([])
  expect(await whole('ca')).toEqual([])
  expect(await whole('a', 'Subject')).toEqual(['a'])
})

test('what would mean something to a search engine, a pattern or SQL means nothing', async () => {
  const owner = newOwner()
  await fill(owner, { a: 'plain words' })
  for (const value of ["'", 'a & b | !c', ':*', '%', '_', "x' or true --", '(a+)+$', '\\', '<->', '?', '"', '\0']) {
    const criteria: Criterion = {
      type: 'and',
      of: [
        { type: 'text', value },
        { type: 'whole-word', value },
        { type: 'attribute', name: 'Subject', value, match: 'contains' },
        { type: 'attribute', name: value, value, match: 'equals' },
        { type: 'whole-word', value, name: value },
      ],
    }
    expect(await find(owner, criteria)).toEqual([])
  }
})

test('attributes are compared, or contain, without regard to case', async () => {
  const owner = newOwner()
  await boxes.create(
    owner,
    anObject({
      correlationId: 'imdn-1',
      conversationId: 'conv-1',
      contributionId: 'contrib-1',
      attributes: {
        Subject: ['Große Pläne'],
        To: ['a', 'B'],
        'IMDN-Message-ID': ['imdn-1'],
        'Conversation-ID': ['conv-1'],
      },
    }),
  )
  await boxes.create(owner, anObject({ attributes: { Subject: ['other'] }, conversationId: 'conv-2' }))
  const by = async (name: string, value: string | undefined, match: 'equals' | 'contains' = 'equals') => {
    const criteria: Criterion = { type: 'attribute', name, match, ...(value !== undefined && { value }) }
    return (await find(owner, criteria)).length
  }
  expect(await by('subject', 'große PLÄNE')).toBe(1)
  expect(await by('subject', 'große')).toBe(0)
  expect(await by('subject', 'PLÄN', 'contains')).toBe(1)
  expect(await by('to', 'b')).toBe(1)
  expect(await by('To', undefined)).toBe(1)
  expect(await by('Cc', undefined)).toBe(0)
  expect(await by('imdn-message-id', 'imdn-1')).toBe(1)
  expect(await by('Conversation-ID', 'conv-1')).toBe(1)
  expect(await by('Contribution-ID', 'contrib-1')).toBe(1)
  expect(await by('Conversation-ID', 'conv-3')).toBe(0)
})

test('ids are found whole or in part, also those of an object that is known by its attributes alone', async () => {
  const owner = newOwner()
  const ids = {
    'IMDN-Message-ID': ["it's \\ 1"],
    'Conversation-ID': ["c & d' \\ | :*"],
    'Contribution-ID': ['x'.repeat(500)],
  }
  const made = await boxes.create(owner, anObject({ attributes: { Subject: ['a'], ...ids } }))
  expect(made).toMatchObject({ correlationId: "it's \\ 1", conversationId: ids['Conversation-ID'][0] })
  for (const [name, [value = '']] of Object.entries(ids)) {
    const found = (text: string, match: 'exact' | 'equals' | 'contains') =>
      find(owner, { type: 'attribute', name, value: text, match })
    expect(await found(value, 'exact')).toEqual(['a'])
    expect(await found(value, 'equals')).toEqual(['a'])
    expect(await found(`${value}y`, 'equals')).toEqual([])
    expect(await found(value.slice(1, 3), 'contains')).toEqual(['a'])
  }
})

test('dates, flags, kinds and sequences select, and trees combine them', async () => {
  const owner = newOwner()
  const { a, b, c } = await fill(owner, { a: 'x', b: 'x', c: 'x' })
  if (a === undefined || b === undefined || c === undefined) throw new Error('not filled')
  await boxes.change(owner, [b.id], { add: ['\\Seen', 'Mine'] })
  expect(await find(owner, { type: 'date', from: b.date })).toEqual(['c', 'b'])
  expect(await find(owner, { type: 'date', from: a.date, to: b.date })).toEqual(['b', 'a'])
  expect(await find(owner, { type: 'flag', value: '\\seen' })).toEqual(['b'])
  expect(await find(owner, { type: 'flag', value: 'mINE' })).toEqual(['b'])
  expect(await find(owner, { type: 'not', of: { type: 'flag', value: '\\Seen' } })).toEqual(['c', 'a'])
  expect(await find(owner, { type: 'kind', value: 'file' })).toEqual([])
  expect(await find(owner, { type: 'created', after: a.modseq })).toEqual(['c', 'b'])
  expect(await find(owner, { type: 'changed', after: c.modseq })).toEqual(['b'])
  const either: Criterion = {
    type: 'or',
    of: [
      { type: 'date', to: a.date },
      {
        type: 'and',
        of: [
          { type: 'flag', value: 'Mine' },
          { type: 'text', value: 'x' },
        ],
      },
    ],
  }
  expect(await find(owner, either)).toEqual(['b', 'a'])
  expect(await find(owner, { type: 'and', of: [] })).toEqual(['c', 'b', 'a'])
  expect(await find(owner, { type: 'or', of: [] })).toEqual([])
})

test('a search is within a folder, with or without those below it', async () => {
  const owner = newOwner()
  const make = (name: string, folderPath: string[]) =>
    boxes.create(owner, anObject({ folderPath, attributes: { Subject: [name] } }))
  const outer = await make('outer', ['Work'])
  await make('inner', ['Work', 'a'])
  await make('other', ['Work2'])
  const all: Criterion = { type: 'and', of: [] }
  expect(await find(owner, all, { scope: outer.folder })).toEqual(['inner', 'outer'])
  expect(await find(owner, all, { scope: outer.folder, recursive: false })).toEqual(['outer'])
  expect(await find(owner, all, { scope: rootId, recursive: false })).toEqual([])
  const { id } = await boxes.folderAt(newOwner(), ['Theirs'])
  await expect(find(owner, all, { scope: id })).rejects.toMatchObject({ condition: 'folder-unknown' })
  for (const scope of [id, 'none', outer.folder.replace(/^./, 'g')]) {
    const listed = boxes.searchToShow(owner, { scope, recursive: false, limit: 9 })
    await expect(listed).rejects.toMatchObject({ condition: 'folder-unknown' })
  }
})

test.each([
  [{ by: 'date', descending: true }],
  [{ by: 'date', descending: false }],
  [{ by: 'created', descending: false }],
  [{ by: 'modseq', descending: true }],
  [{ by: 'size', descending: false }],
  [{ by: { attribute: 'subject' }, descending: true }],
] as const)('pages in the order of %j meet without gap or repetition', async (sort) => {
  const owner = newOwner()
  const texts = Object.fromEntries(Array.from({ length: 23 }, (_, n) => [`s${n % 5}-${n}`, 'x'.repeat(n % 3)]))
  await fill(owner, texts)
  const whole = (await boxes.search(owner, { sort, limit: 100 })).objects.map(({ id }) => id)
  const paged: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await boxes.search(owner, { sort, limit: 4, ...(cursor !== undefined && { cursor }) })
    paged.push(...page.objects.map(({ id }) => id))
    if (page.cursor === undefined) break
    cursor = page.cursor
  }
  expect(paged).toEqual(whole)
  expect(new Set(whole).size).toBe(23)
})

test('a cursor that was forged, or belongs to another question or owner, is refused', async () => {
  const [owner, other] = [newOwner(), newOwner()]
  await fill(owner, { a: 'x', b: 'x', c: 'x' })
  const { cursor = '' } = await boxes.search(owner, { limit: 1 })
  const refused = { condition: 'malformed' }
  expect((await boxes.search(owner, { limit: 1, cursor })).objects).toHaveLength(1)
  const forged = Buffer.from(cursor, 'base64url')
  forged[forged.length - 2] = 0x30
  for (const wrong of [forged.toString('base64url'), '', 'x', 'A'.repeat(10_000)]) {
    await expect(boxes.search(owner, { limit: 1, cursor: wrong })).rejects.toMatchObject(refused)
  }
  await expect(boxes.search(other, { limit: 1, cursor })).rejects.toMatchObject(refused)
  await expect(boxes.search(owner, { limit: 1, cursor, recursive: false })).rejects.toMatchObject(refused)
  const sort = { by: 'size', descending: true } as const
  await expect(boxes.search(owner, { limit: 1, cursor, sort })).rejects.toMatchObject(refused)
})

test('trees that are too deep or too large, and values that are too long, are refused', async () => {
  const owner = newOwner()
  let deep: Criterion = { type: 'flag', value: 'x' }
  for (let n = 0; n < 1000; n++) deep = { type: 'not', of: deep }
  const wide: Criterion = { type: 'or', of: Array.from({ length: 200 }, () => ({ type: 'flag', value: 'x' }) as const) }
  const long: Criterion = { type: 'attribute', name: 'Subject', value: 'x'.repeat(5000), match: 'contains' }
  const strange: Criterion = { type: 'created', after: Number.NaN }
  for (const criteria of [deep, wide, long, strange, { type: 'date', from: 1e300 } as const]) {
    await expect(boxes.search(owner, { criteria, limit: 1 })).rejects.toMatchObject({ condition: 'malformed' })
  }
})

test('folders are found by name, date and sequence, and have no text', async () => {
  const owner = newOwner()
  const work = await boxes.folderAt(owner, ['Work at home'])
  await boxes.folderAt(owner, ['Work at home', '100% play'])
  const names = async (criteria: Criterion, change: Partial<Selection> = {}) =>
    (await boxes.searchFolders(owner, { criteria, limit: 10, ...change })).folders.map(({ name }) => name)
  const named = (value: string, match: 'equals' | 'contains'): Criterion => ({
    type: 'attribute',
    name: 'name',
    value,
    match,
  })
  expect(await names(named('work AT home', 'equals'))).toEqual(['Work at home'])
  expect(await names(named('%', 'contains'))).toEqual(['100% play'])
  expect(await names({ type: 'attribute', name: 'Root', value: 'Yes', match: 'equals' })).toEqual([''])
  expect(await names({ type: 'created', after: work.created })).toEqual(['100% play'])
  expect(await names({ type: 'whole-word', value: 'at' })).toEqual(['Work at home'])
  expect(await names({ type: 'whole-word', value: 'hom' })).toEqual([])
  expect(await names({ type: 'date', from: Date.now() + 60_000 })).toEqual([])
  expect(await names({ type: 'not', of: named('o', 'contains') }, { scope: work.id })).toEqual(['100% play'])
  await expect(names({ type: 'text', value: 'x' })).rejects.toMatchObject({ condition: 'malformed' })
  const first = await boxes.searchFolders(owner, { limit: 2 })
  expect(first.folders.map(({ path }) => path)).toEqual(['', 'Default'])
  const second = await boxes.searchFolders(owner, { limit: 5, cursor: first.cursor ?? '' })
  expect(second.folders.map(({ path }) => path)).toEqual(['Work at home', 'Work at home/100% play'])
})

test('all objects of a mailbox come, oldest first', async () => {
  const owner = newOwner()
  await boxes.createMany(
    owner,
    Array.from({ length: 450 }, () => anObject()),
  )
  const dates: number[] = []
  for await (const { date } of boxes.all(owner)) dates.push(date)
  expect(dates).toHaveLength(450)
  expect(dates).toEqual([...dates].sort((a, b) => a - b))
})
