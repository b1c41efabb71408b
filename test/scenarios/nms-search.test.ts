import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultIn, NmsUser } from '../support/nms-user.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

let server: TestServer
let alice: NmsUser
let bob: NmsUser
const urls: Record<string, string> = {}
const nameOf = (url: string) => Object.keys(urls).find((name) => urls[name] === url) ?? url
const found = async (...args: Parameters<NmsUser['find']>) => (await alice.find(...args)).map(nameOf).sort()

beforeAll(async () => {
  server = await startServer()
  alice = await NmsUser.of(server, 'alice')
  bob = await NmsUser.of(server, 'bob')
  const tel = { From: 'tel:+19585550100', Direction: 'In' }
  const trip = { ...tel, Date: '2026-03-01T10:00:00Z', Subject: 'Trip to Rome', TextContent: 'see you at the station' }
  urls.trip = await alice.add('/main/trips', trip, ['\\Seen', '\\Flagged'])
  const ball = { ...tel, Date: '2026-03-02T10:00:00Z', Subject: 'R U coming to Football game today' }
  urls.ball = await alice.add('/main', { ...ball, TextContent: 'bring a ball' })
  const out = { To: 'tel:+19585550199', Direction: 'Out', Date: '2026-03-03T10:00:00Z' }
  urls.out = await alice.add('/tmp', { ...out, Subject: 'Rome', TextContent: 'the trains are late' }, ['\\Seen'])
})
afterAll(() => server[Symbol.asyncDispose]())

describe('a search for objects', () => {
  test('by date includes its beginning and excludes its end', async () => {
    const date = (value: string) => found({ type: 'Date', value })
    expect(await date('minDate=2026-03-02T10:00:00Z')).toEqual(['ball', 'out'])
    expect(await date('maxDate=2026-03-02T10:00:00Z')).toEqual(['trip'])
    expect(await date('minDate=2026-03-01T11:00:00%2B01:00&maxDate=2026-03-03T10:00:00Z')).toEqual(['ball', 'trip'])
    expect(await date('minDate=2026-03-03T09:00:00-01:00')).toEqual(['out'])
  })

  test('by attribute takes those that are said and those that the store knows by itself', async () => {
    const attribute = (name: string, value: string) => found({ type: 'Attribute', name, value })
    expect(await attribute('Subject', 'Rome')).toEqual(['out'])
    expect(await attribute('from', 'tel:+19585550100')).toEqual(['ball', 'trip'])
    expect(await attribute('To', 'tel:+19585550199')).toEqual(['out'])
    expect(await attribute('From', server.aor('alice'))).toEqual(['out'])
    expect(await attribute('Direction', 'Out')).toEqual(['out'])
    for (const value of ['Rom%', 'rome', 'Rom']) expect(await attribute('Subject', value)).toEqual([])
  })

  test('by flag finds those that have it, and those that have it not', async () => {
    const flag = (name: string, value: string) => found({ type: 'Flag', name, value })
    expect(await flag('\\seen', 'true')).toEqual(['out', 'trip'])
    expect(await flag('\\Seen', 'false')).toEqual(['ball'])
    expect(await flag('\\Flagged', '')).toEqual(['trip'])
  })

  test('by text finds what is in attributes and in bodies, by whole words as well', async () => {
    expect(await found({ type: 'AllTextAttributes', value: 'football' })).toEqual(['ball'])
    expect(await found({ type: 'AllTextAttributes', value: 'STATION' })).toEqual(['trip'])
    expect(await found({ type: 'WholeWord', value: 'Rome' })).toEqual(['out', 'trip'])
    expect(await found({ type: 'WholeWord', value: 'trai' })).toEqual([])
  })

  test('by a name that is agreed on finds what was exchanged with somebody', async () => {
    const preset = (value: string) => found({ type: 'PresetSearch', name: 'RemoteParty', value })
    expect(await preset('tel:+19585550100')).toEqual(['ball', 'trip'])
    expect(await preset('tel:+19585550199,tel:+19585550100')).toEqual(['ball', 'out', 'trip'])
    expect(await preset('tel:+1')).toEqual([])
  })

  test('combines criteria with And, Or and Not', async () => {
    const criteria = [
      { type: 'Flag', name: '\\Seen', value: 'true' },
      { type: 'Attribute', name: 'Direction', value: 'In' },
    ]
    expect(await found(criteria)).toEqual(['trip'])
    expect(await found(criteria, {}, 'And')).toEqual(['trip'])
    expect(await found(criteria, {}, 'Or')).toEqual(['ball', 'out', 'trip'])
    expect(await found(criteria, {}, 'Not')).toEqual(['ball', 'out'])
  })

  test('within a folder takes what is below it, or not', async () => {
    const main = (await alice.json('GET', '/folders/operations/pathToId?path=%2Fmain')).body.resourceURL
    const all = [{ type: 'Date', value: 'minDate=2020-01-01T00:00:00Z' }]
    expect(await found(all, { searchScope: { resourceURL: main } })).toEqual(['ball', 'trip'])
    expect(await found(all, { searchScope: { resourceURL: main }, nonRecursiveScope: true })).toEqual(['ball'])
  })

  test('gives pages in the order that was asked for, without gap or overlap', async () => {
    const pages = async (sort: object) => {
      const seen: string[] = []
      for (let fromCursor: string | undefined; ; ) {
        const page = await alice.search('objects', { ...(fromCursor && { fromCursor }), maxEntries: 1, ...sort })
        expect(page.status, page.text).toBe(200)
        expect(page.body.object.length).toBeLessThanOrEqual(1)
        for (const { resourceURL } of page.body.object) seen.push(nameOf(resourceURL))
        if (page.body.cursor === undefined) return seen
        fromCursor = page.body.cursor
      }
    }
    const by = (criterion: object) => ({ sortCriteria: { criterion: [criterion] } })
    expect(await pages(by({ type: 'Date', order: 'Ascending' }))).toEqual(['trip', 'ball', 'out'])
    expect(await pages(by({ type: 'Date' }))).toEqual(['out', 'ball', 'trip'])
    expect(await pages(by({ type: 'Attribute', name: 'Subject', order: 'Ascending' }))).toEqual(['ball', 'out', 'trip'])
    expect(await pages({ sortCriterion: { type: 'Date', order: 'Ascending' } })).toEqual(['trip', 'ball', 'out'])
  })

  test('in XML is that of the specification', async () => {
    const asked = `<?xml version="1.0" encoding="UTF-8"?>
      <nms:selectionCriteria xmlns:nms="urn:oma:xml:rest:netapi:nms:1"><maxEntries>3</maxEntries><searchCriteria>
      <criterion><type>Attribute</type><name>Direction</name><value>In</value></criterion>
      <criterion><type>Date</type><value>minDate=2026-03-02T00:00:00Z&amp;maxDate=2026-04-01T12:00Z</value></criterion>
      <operator>And</operator></searchCriteria>
      <sortCriterion><type>Date</type><order>Ascending</order></sortCriterion></nms:selectionCriteria>`
    const answer = await alice.xml('POST', '/objects/operations/search', asked)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^application\/xml/)
    expect(answer.text).toContain('<nms:objectList xmlns:nms="urn:oma:xml:rest:netapi:nms:1"><object><parentFolder>')
    expect(answer.text).toContain(`<resourceURL>${urls.ball}</resourceURL>`)
    expect(answer.text.match(/<object>/g)).toHaveLength(1)
  })

  test('sees nothing of others', async () => {
    expect(await bob.find({ type: 'Flag', name: '\\Seen', value: 'true' })).toEqual([])
    const aliceBox = new NmsUser(server, 'none', encodeURIComponent(server.aor('alice')))
    const path = `${aliceBox.box}/objects/operations/search`
    expect(faultIn(await bob.json('POST', path, { selectionCriteria: { maxEntries: 1 } }))).toBe('403 POL0001')
  })
})

describe('simple synchronisation', () => {
  test('finds what came since the last time, and what has gone', async () => {
    const created = (value: string, maxEntries = 2) =>
      bob.search('objects', { maxEntries, searchCriteria: { criterion: [{ type: 'CreatedObjects', value }] } })
    const urlsIn = ({ body }: Awaited<ReturnType<typeof created>>) =>
      body.object.map(({ resourceURL }: { resourceURL: string }) => resourceURL)
    const [one, two, three] = [await bob.add('/a', {}), await bob.add('/a', {}), await bob.add('/b', {})]
    const first = await created('')
    expect(urlsIn(first)).toEqual([one, two])
    expect(first.body.cursor).toBeDefined()
    const next = await created(first.body.creationCursor) // a client that stopped half way
    expect(urlsIn(next)).toEqual([three])
    expect(next.body.cursor).toBeUndefined()
    expect(urlsIn(await created(next.body.creationCursor))).toEqual([])
    await bob.json('PUT', `${one}/flags/%5CSeen`) // no creation
    const four = await bob.add('/a', {})
    expect(urlsIn(await created(next.body.creationCursor))).toEqual([four])
    await bob.json('DELETE', two ?? '')
    await bob.json('DELETE', four)
    const vanished = (criterion: object, maxEntries = 10) =>
      bob.search('objects', { maxEntries, searchCriteria: { criterion: [criterion] } })
    const gone = await vanished({ type: 'VanishedObjects', value: '' })
    expect(gone.text).toBe(
      JSON.stringify({ objectReferenceList: { objectReference: [four, two].map((resourceURL) => ({ resourceURL })) } }),
    )
    expect((await vanished({ type: 'VanishedObjects', value: '' }, 1)).body.objectReference).toHaveLength(1)
    expect((await vanished({ type: 'PresetSearch', name: 'PurgedObject', value: '' })).text).toBe(gone.text)
  })
})

describe('a search for folders', () => {
  test('finds the root, with what is in it', async () => {
    const criterion = [{ type: 'Attribute', name: 'root', value: 'Yes' }]
    const { status, body, text } = await alice.search('folders', { maxEntries: 3, searchCriteria: { criterion } })
    expect(status, text).toBe(200)
    expect(body.folder).toHaveLength(1)
    const [root] = body.folder
    expect(root.parentFolder).toBeUndefined()
    expect(root.path).toBe('')
    expect(root.attributes.attribute).toContainEqual({ name: 'Root', value: ['Yes'] })
    expect(root.subFolders.folderReference.map(({ path }: { path: string }) => path)).toEqual(
      expect.arrayContaining(['/main', '/tmp']),
    )
    expect(root.objects).toBeDefined()
  })

  test('goes by name, by part of a name and by date', async () => {
    const paths = async (criterion: object) => {
      const answer = await alice.search('folders', { maxEntries: 10, searchCriteria: { criterion: [criterion] } })
      expect(answer.status, answer.text).toBe(200)
      return answer.body.folder.map(({ path }: { path: string }) => path)
    }
    expect(await paths({ type: 'Attribute', name: 'Name', value: 'trips' })).toEqual(['/main/trips'])
    expect(await paths({ type: 'AllTextAttributes', value: 'RIP' })).toEqual(['/main/trips'])
    expect(await paths({ type: 'Date', value: 'maxDate=2020-01-01T00:00:00Z' })).toEqual([])
    expect(await paths({ type: 'Attribute', name: 'Root', value: 'No' })).toEqual(
      expect.arrayContaining(['/main', '/main/trips', '/tmp']),
    )
  })

  test('is refused for what folders do not have', async () => {
    const searchCriteria = { criterion: [{ type: 'Flag', name: '\\Seen', value: 'true' }] }
    expect(faultIn(await alice.search('folders', { maxEntries: 3, searchCriteria }))).toBe('400 SVC0002')
  })
})

describe('a search that is none', () => {
  const malformed: Record<string, object> = {
    'has no limit': {},
    'wants nothing': { maxEntries: 0 },
    'has a type that there is not': { maxEntries: 1, searchCriteria: { criterion: [{ type: 'Regex', value: '.*' }] } },
    'has no name where one is needed': { maxEntries: 1, searchCriteria: { criterion: [{ type: 'Flag', value: '' }] } },
    'has a flag that is neither true nor false': {
      maxEntries: 1,
      searchCriteria: { criterion: [{ type: 'Flag', name: '\\Seen', value: 'perhaps' }] },
    },
    'has a date without time zone': {
      maxEntries: 1,
      searchCriteria: { criterion: [{ type: 'Date', value: 'minDate=2026-01-01T00:00:00' }] },
    },
    'has two beginnings': {
      maxEntries: 1,
      searchCriteria: {
        criterion: [{ type: 'Date', value: 'minDate=2026-01-01T00:00:00Z&minDate=2026-01-01T00:00:00Z' }],
      },
    },
    'negates what has vanished': {
      maxEntries: 1,
      searchCriteria: { criterion: [{ type: 'VanishedObjects', value: '' }], operator: 'Not' },
    },
    'combines what has vanished': {
      maxEntries: 1,
      searchCriteria: {
        criterion: [
          { type: 'VanishedObjects', value: '' },
          { type: 'Flag', name: 'a', value: '' },
        ],
      },
    },
    'names a search that is not agreed on': {
      maxEntries: 1,
      searchCriteria: { criterion: [{ type: 'PresetSearch', name: 'Everything', value: '' }] },
    },
    'has a creation cursor that was made up': {
      maxEntries: 1,
      searchCriteria: { criterion: [{ type: 'CreatedObjects', value: "' or 1=1" }] },
    },
    'sorts by an attribute without a name': { maxEntries: 1, sortCriteria: { criterion: [{ type: 'Attribute' }] } },
    'has a cursor that was made up': { maxEntries: 1, fromCursor: 'bm90aGluZw' },
    'has more criteria than anybody needs': {
      maxEntries: 1,
      searchCriteria: { criterion: Array.from({ length: 1000 }, () => ({ type: 'Flag', name: 'a', value: 'true' })) },
    },
  }
  for (const [what, criteria] of Object.entries(malformed)) {
    test(`and ${what} gets SVC0002`, async () => {
      expect(faultIn(await alice.search('objects', criteria))).toBe('400 SVC0002')
    })
  }

  test('and is nested a thousand deep is refused in both formats', async () => {
    const deep = `${'{"searchCriteria":'.repeat(1000)}1${'}'.repeat(1000)}`
    const json = await alice.send(
      'POST',
      '/objects/operations/search',
      `{"selectionCriteria":${deep}}`,
      'application/json',
    )
    expect(faultIn(json)).toBe('400 SVC0002')
    const open = '<criterion>'.repeat(1000)
    const xml = `<nms:selectionCriteria xmlns:nms="urn:oma:xml:rest:netapi:nms:1"><maxEntries>1</maxEntries><searchCriteria>${open}${'</criterion>'.repeat(1000)}</searchCriteria></nms:selectionCriteria>`
    const refused = await alice.xml('POST', '/objects/operations/search', xml)
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('<messageId>SVC0002</messageId>')
  })

  test('and looks like an expression that explodes is a text like any other', async () => {
    const value = `${'(zq+)+'.repeat(60)}$`
    for (const type of ['AllTextAttributes', 'WholeWord']) expect(await found({ type, value })).toEqual([])
    expect(await found({ type: 'Attribute', name: 'Subject', value: '%_%\\' })).toEqual([])
  })

  test('and goes on with the cursor of another search, or of another user, is refused', async () => {
    const { cursor } = (await alice.search('objects', { maxEntries: 1 })).body
    const searchCriteria = { criterion: [{ type: 'Flag', name: '\\Seen', value: 'true' }] }
    expect((await alice.search('objects', { maxEntries: 1, fromCursor: cursor })).status).toBe(200)
    const other = { maxEntries: 1, fromCursor: cursor, searchCriteria }
    expect(faultIn(await alice.search('objects', other))).toBe('400 SVC0002')
    expect(faultIn(await bob.search('objects', { maxEntries: 1, fromCursor: cursor }))).toBe('400 SVC0002')
    const folder = (await bob.json('GET', '/folders/operations/pathToId?path=%2Fa')).body.resourceURL
    const inOthers = { maxEntries: 1, searchScope: { resourceURL: folder } }
    expect(faultIn(await alice.search('objects', inOthers))).toBe('404 SVC0004')
  })

  test('and comes by another method is told which one there is', async () => {
    const answer = await alice.json('GET', '/objects/operations/search')
    expect(answer.status).toBe(405)
    expect(answer.headers.allow).toContain('POST')
  })
})
