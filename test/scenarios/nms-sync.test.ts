import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { becomes, CallbackReceiver } from '../support/callback-receiver.ts'
import { NmsMirror, readAll } from '../support/nms-mirror.ts'
import { faultIn, type NmsReply, NmsUser } from '../support/nms-user.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

let server: TestServer
let alice: NmsUser
let bob: NmsUser

beforeAll(async () => {
  const settings = { 'storage.notifications.callbackTo': '127.0.0.1', 'storage.notifications.pollFor': '200ms' }
  server = await startServer({ settings })
  alice = await NmsUser.of(server, 'alice')
  bob = await NmsUser.of(server, 'bob')
})
afterAll(() => server[Symbol.asyncDispose]())

const folderAt = async (user: NmsUser, path: string): Promise<string> => {
  const found = await user.json('GET', `/folders/operations/pathToId?path=${encodeURIComponent(path)}`)
  expect(found.status, found.text).toBe(200)
  return found.body.resourceURL
}
const references = (urls: readonly string[]) => urls.map((resourceURL) => ({ resourceURL }))
const transfer = (user: NmsUser, how: 'copy' | 'move', target: string, objects: string[], folders: string[] = []) =>
  user.json('POST', `/folders/operations/${how}ToFolder`, {
    targetSourceRef: {
      targetRef: { resourceURL: target },
      sourceRefs: {
        folders: { folderReference: references(folders) },
        objects: { objectReference: references(objects) },
      },
    },
  })
const codes = ({ body }: NmsReply) => body.response.map(({ code }: { code: number }) => code)
const pathOf = async (url: string) => (await alice.json('GET', url)).body.path

describe('a path', () => {
  test('leads to the URL of an object or a folder, in both formats', async () => {
    const url = await alice.add('/paths/to', {})
    const path = await pathOf(url)
    const get = (user: NmsUser, of: string, at: string) =>
      user.json('GET', `/${of}/operations/pathToId?path=${encodeURIComponent(at)}`)
    expect((await get(alice, 'objects', path)).body).toEqual({ resourceURL: url, path })
    const folder = (await get(alice, 'folders', '/paths/to')).body.resourceURL
    expect((await alice.json('GET', url)).body.parentFolder).toBe(folder)
    const root = (await alice.json('GET', '/folders/operations/pathToId')).body
    expect(root).toEqual({ resourceURL: expect.stringMatching(/\/folders\/0{8}-/), path: '' })
    for (const wrong of ['/paths//to', '/paths/nowhere', '/paths/to']) {
      expect(faultIn(await get(alice, 'objects', wrong))).toBe('404 SVC0004')
    }
    expect(faultIn(await alice.json('GET', '/objects/operations/pathToId'))).toBe('400 SVC0004')
    expect(faultIn(await get(bob, 'objects', path))).toBe('404 SVC0004')
    const xml = await alice.xml('GET', `/folders/operations/pathToId?path=%2Fpaths`)
    expect(xml.text).toContain('<path>/paths</path></nms:reference>')
  })

  test('among others is answered by itself', async () => {
    const path = await pathOf(await alice.add('/paths', {}))
    const asked = (of: string, paths: string[]) =>
      alice.json('POST', `/${of}/operations/pathToId`, { pathList: { path: paths } })
    const objects = await asked('objects', [path, '/paths/none', '/paths//none'])
    expect([objects.status, codes(objects)]).toEqual([200, [200, 400, 400]])
    expect(objects.body.response[0].success.path).toBe(path)
    expect(objects.body.response[1].failure.serviceException).toMatchObject({
      messageId: 'SVC0002',
      variables: ['/paths/none'],
    })
    const folders = await asked('folders', ['/paths', '/paths//to', '/paths99'])
    expect(codes(folders)).toEqual([200, 400, 404])
    expect(folders.body.response[2].failure.serviceException).toEqual({
      messageId: 'SVC2008',
      text: 'Unknown %1 %2',
      variables: ['path', '/paths99'],
    })
    expect(
      faultIn(
        await asked(
          'objects',
          Array.from({ length: 101 }, () => '/a'),
        ),
      ),
    ).toBe('400 SVC0002')
  })
})

describe('copies and moves', () => {
  test('of objects give copies ids of their own, and moved ones keep theirs', async () => {
    const one = await alice.add('/from', { Subject: 'one' }, ['\\Flagged'])
    const two = await alice.add('/from', { Subject: 'two' })
    await alice.add('/into', {})
    const into = await folderAt(alice, '/into')
    const copied = await transfer(alice, 'copy', into, [one, two])
    expect(codes(copied)).toEqual([200, 200])
    const { resourceURL, path } = copied.body.response[0].success
    expect(resourceURL).not.toBe(one)
    expect(await pathOf(resourceURL)).toBe(path)
    expect((await alice.json('GET', resourceURL)).body).toMatchObject({
      parentFolder: into,
      flags: { flag: ['\\Flagged'] },
    })
    const moved = await transfer(alice, 'move', into, [one])
    expect(moved.body.response[0].success.resourceURL).toBe(one)
    expect((await alice.json('GET', one)).body.parentFolder).toBe(into)
    const partly = await transfer(alice, 'copy', into, [
      two,
      one.replace(/.$/, one.endsWith('0') ? '1' : '0'),
      `${two}x`,
    ])
    expect([partly.status, codes(partly)]).toEqual([200, [200, 400, 400]])
  })

  test('of folders take along all that is in them', async () => {
    const deep = await alice.add('/tree/inner/deep', { Subject: 'deep' })
    await alice.add('/other', {})
    const [tree, other] = [await folderAt(alice, '/tree'), await folderAt(alice, '/other')]
    const copied = await transfer(alice, 'copy', other, [], [tree])
    expect([copied.status, copied.body.response[0].success.path]).toEqual([200, '/other/tree'])
    await folderAt(alice, '/other/tree/inner/deep')
    expect(await alice.find({ type: 'Attribute', name: 'Subject', value: 'deep' })).toHaveLength(2)
    expect(codes(await transfer(alice, 'move', other, [], [tree]))).toEqual([409]) // the name is taken
    const inner = await folderAt(alice, '/tree/inner')
    expect((await transfer(alice, 'move', other, [], [inner])).body.response[0].success.resourceURL).toBe(inner)
    expect(await pathOf(deep)).toMatch(/^\/other\/inner\/deep\//)
    const within = await transfer(alice, 'move', inner, [], [other])
    expect([within.status, within.body.response[0].failure.policyException.messageId]).toEqual([403, 'POL0001'])
  })

  test('go only where they may', async () => {
    const mine = await alice.add('/mine', {})
    const [here, theirs] = [await folderAt(alice, '/mine'), await bob.add('/theirs', {})]
    expect(codes(await transfer(alice, 'copy', here, [theirs]))).toEqual([400])
    const foreign = (await bob.json('GET', theirs)).body.parentFolder
    expect(faultIn(await transfer(alice, 'move', foreign, [mine]))).toBe('404 SVC0004')
    expect(faultIn(await transfer(alice, 'move', `${here}x`, [mine]))).toBe('404 SVC0004')
    expect(faultIn(await transfer(alice, 'move', here, []))).toBe('400 SVC0002')
    expect(
      faultIn(
        await transfer(
          alice,
          'move',
          here,
          Array.from({ length: 501 }, () => mine),
        ),
      ),
    ).toBe('400 SVC0002')
    const root = await folderAt(alice, '')
    const [answer] = (await transfer(alice, 'move', here, [], [root])).body.response
    expect(answer.code).toBe(403)
  })

  test('are understood in XML', async () => {
    const url = await alice.add('/xml', {})
    const target = await folderAt(alice, '')
    const body = `<nms:targetSourceRef xmlns:nms="urn:oma:xml:rest:netapi:nms:1"><targetRef><resourceURL>${target}</resourceURL></targetRef><sourceRefs><folders/><objects><objectReference><resourceURL>${url}</resourceURL></objectReference></objects></sourceRefs></nms:targetSourceRef>`
    const answer = await alice.xml('POST', '/folders/operations/moveToFolder', body)
    expect(answer.text).toMatch(
      /<nms:bulkResponseList xmlns:nms="urn:oma:xml:rest:netapi:nms:1"><response><code>200<\/code><reason>OK<\/reason><success><resourceURL>/,
    )
    expect((await alice.json('GET', url)).body.parentFolder).toBe(target)
  })
})

describe('in bulk', () => {
  test('flags are added and removed, and objects deleted, each by itself', async () => {
    const urls = [await alice.add('/bulk', {}), await alice.add('/bulk', {}), await alice.add('/bulk', {}, ['\\Seen'])]
    const theirs = await bob.add('/bulk', {})
    const objects = { objectReference: references([...urls, theirs]) }
    const flag = ['\\Seen', '\\Answered']
    const update = (operation: string) =>
      alice.json('POST', '/objects/operations/bulkUpdate', { bulkUpdate: { objects, operation, flags: { flag } } })
    const added = await update('AddFlag')
    expect([added.status, codes(added)]).toEqual([200, [200, 200, 200, 404]])
    const flagsOf = async (url: string) => (await alice.json('GET', url)).body.flags.flag
    for (const url of urls) expect(await flagsOf(url)).toEqual(['\\Answered', '\\Seen'])
    expect(codes(await update('RemoveFlag'))).toEqual([200, 200, 200, 404])
    for (const url of urls) expect(await flagsOf(url)).toEqual([])
    const remove = (method: string) => alice.json(method, '/objects/operations/bulkDelete', { bulkDelete: { objects } })
    expect(codes(await remove('DELETE'))).toEqual([204, 204, 204, 404])
    const again = await remove('POST')
    expect([again.status, codes(again)]).toEqual([404, [404, 404, 404, 404]])
    expect((await bob.json('GET', theirs)).status).toBe(200)
    const none = { bulkUpdate: { objects: {}, operation: 'AddFlag', flags: { flag } } }
    expect(faultIn(await alice.json('POST', '/objects/operations/bulkUpdate', none))).toBe('400 SVC0002')
  })
})

/** What one step does: a number chooses among what there is. */
const steps = {
  add: fc.tuple(fc.constantFrom('/p', '/p/q', '/r'), fc.boolean()),
  flag: fc.tuple(fc.nat(), fc.constantFrom('\\Seen', '\\Flagged'), fc.boolean()),
  remove: fc.nat(),
  removeFolder: fc.nat(),
  rename: fc.tuple(fc.nat(), fc.nat({ max: 5 })),
  move: fc.tuple(fc.nat(), fc.nat(), fc.boolean()),
  copy: fc.tuple(fc.nat(), fc.nat(), fc.boolean()),
  reset: fc.constant(0),
}
const weights = { add: 10, flag: 6, remove: 4, removeFolder: 4, rename: 3, move: 4, copy: 4, reset: 1 }
const oneStep = fc.oneof(
  ...(Object.keys(steps) as (keyof typeof steps)[]).map((what) => ({
    weight: weights[what],
    arbitrary: steps[what].map((how) => ({ what, how })),
  })),
)
/** What becomes of a notification on its way. */
const fates = fc.array(fc.constantFrom('arrives', 'arrives', 'arrives', 'lost', 'twice', 'late'), {
  minLength: 7,
  maxLength: 7,
})

async function doStep(user: NmsUser, what: keyof typeof steps, how: unknown): Promise<void> {
  const all = Object.keys(await readAll(user))
  const pick = (from: string, number: number) => {
    const some = all.filter((url) => url.includes(`/${from}/`))
    return some[number % Math.max(some.length, 1)] ?? `${server.http}${user.box}/${from}/none`
  }
  const [first, second, third] = [how].flat() as [number, number, boolean]
  if (what === 'add') await user.add(String(first), {}, second ? ['\\Seen'] : [])
  else if (what === 'flag') {
    const url = `${pick('objects', first)}/flags/${encodeURIComponent(String(second))}`
    await user.json(third ? 'PUT' : 'DELETE', url)
  } else if (what === 'remove') await user.json('DELETE', pick('objects', first))
  else if (what === 'removeFolder') await user.json('DELETE', pick('folders', first))
  else if (what === 'rename') await user.json('PUT', `${pick('folders', first)}/folderName`, { name: `n${second}` })
  else if (what === 'reset') await reset()
  else {
    const from = third ? 'objects' : 'folders'
    const chosen = [pick(from, first)]
    await transfer(user, what, pick('folders', second), third ? chosen : [], third ? [] : chosen)
  }
}

/** As an operator does it, behind the back of the mailboxes. */
async function reset(): Promise<void> {
  await server.query(`update mailboxes set modseq = modseq + 1, forgotten = modseq + 1, epoch = gen_random_uuid();
    delete from tombstones; select pg_notify('mailboxes', 'test ' || owner) from mailboxes`)
}

describe('a client that keeps in step', () => {
  test('has exactly what the server has, whatever happens to notifications on their way', async () => {
    const carol = await NmsUser.of(server, 'carol')
    await fc.assert(
      fc.asyncProperty(fc.array(oneStep, { minLength: 20, maxLength: 40 }), fates, async (todo, fate) => {
        await using receiver = await CallbackReceiver.open()
        const subscribe = async (notifyURL: string) => {
          const callbackReference = { notifyURL, notificationFormat: 'JSON' }
          return (await carol.json('POST', '/subscriptions', { nmsSubscription: { callbackReference } })).body
        }
        const asked = { notificationChannel: { channelType: 'LongPolling' } }
        const channel = (await carol.json('POST', carol.channels, asked)).body
        const mirrors = [
          new NmsMirror(carol, await subscribe(receiver.url())),
          new NmsMirror(carol, await subscribe(channel.callbackURL)),
        ] as const
        for (const mirror of mirrors) await mirror.take({ index: 0, nmsEvent: [{ resetBox: null }], restartToken: '' })
        const network = [new Network(mirrors[0], fate), new Network(mirrors[1], fate)] as const
        const taken = { count: 0 }
        const pump = async () => {
          for (; taken.count < receiver.received.length; taken.count++) {
            await network[0].carry(receiver.received[taken.count]?.list)
          }
          const { body } = await carol.json('GET', channel.channelData.channelURL)
          for (const { nmsEventList } of body) await network[1].carry(nmsEventList)
        }
        for (const { what, how } of todo) {
          await doStep(carol, what, how)
          if (what !== 'flag') continue
          await pump()
          for (const mirror of mirrors) if (mirror.hasGap) await mirror.restart()
        }
        for (const each of network) each.isGood = true
        await becomes(async () => {
          await pump()
          for (const mirror of mirrors) await mirror.restartIfBehind()
          const state = JSON.stringify(await readAll(carol))
          return mirrors.every((mirror) => JSON.stringify(mirror.state) === state)
        })
        for (const mirror of mirrors) await carol.json('DELETE', mirror.subscription)
        await carol.json('DELETE', channel.resourceURL)
      }),
      { numRuns: Number(process.env.TEST_RUNS ?? 5), endOnFailure: true },
    )
  }, 240_000)
})

/** Between the server and a client: it loses, doubles and delays, until it is good. */
class Network {
  readonly #mirror: NmsMirror
  readonly #fates: readonly string[]
  #late: unknown[] = []
  #count = 0
  isGood = false

  constructor(mirror: NmsMirror, fates: readonly string[]) {
    this.#mirror = mirror
    this.#fates = fates
  }

  async carry(list: unknown): Promise<void> {
    const fate = this.isGood ? 'arrives' : this.#fates[this.#count++ % this.#fates.length]
    if (fate === 'late') this.#late.push(list)
    if (fate === 'late' || fate === 'lost') return
    await this.#mirror.take(list)
    if (fate === 'twice') await this.#mirror.take(list)
    for (const late of this.#late.splice(0)) await this.#mirror.take(late)
  }
}
