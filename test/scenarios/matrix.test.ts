import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { doors } from '../support/doors.ts'
import { moveIn, type Resident } from '../support/residents.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { channels, type StoredThings } from '../support/stored-things.ts'

const users = ['alice', 'bob', 'carol']
const pairs = users.flatMap((intruder) => users.filter((one) => one !== intruder).map((victim) => [intruder, victim]))

const settings = {
  'storage.default': 'always',
  'message.absent': 'notify',
  'storage.notifications.callbackTo': '127.0.0.1',
}

let server: TestServer
const residents = new Map<string, Resident>()
beforeAll(async () => {
  server = await startServer({ settings })
  for (const user of users) residents.set(user, await moveIn(server, user))
})
afterAll(() => server[Symbol.asyncDispose]())

const resident = (user = ''): Resident => residents.get(user) as Resident

describe.each(doors)('$name', ({ answers: allowed, enter }) => {
  test.each(pairs)('gives %s nothing of %s', async (one, other) => {
    const [intruder, victim] = [resident(one), resident(other)]
    const { answers, told = [] } = await enter(intruder, victim)
    for (const { status, text } of answers) {
      expect(allowed).toContain(status)
      expect(text).not.toContain(victim.secret)
    }
    for (const { text } of told) expect(text).not.toContain(victim.secret)
  })
})

test('nobody was told anything in another way, and everything is as it was', async () => {
  for (const { phone, secret, documents, xcap, subscription, etag, aor, stored } of residents.values()) {
    const strangers = users.map(resident).filter((one) => one.phone !== phone)
    for (const stranger of strangers)
      expect(stranger.phone.received.filter(({ text }) => text.includes(secret))).toHaveLength(0)
    for (const { path, content } of documents) expect((await xcap.get(path)).text).toBe(content)
    expect((await subscription.refresh(600, { CSeq: '2000 SUBSCRIBE' })).status).toBe(200)
    const headers = { Event: 'presence', Expires: '600', 'SIP-If-Match': etag }
    expect((await phone.request('PUBLISH', aor, { headers })).status).toBe(200)
    expect(await contentOf(stored)).toEqual([200, 200, 200, 200, 200, 200, 200, 200])
    const bindings = (await phone.register({ headers: { Contact: undefined } })).all('Contact').join()
    expect(bindings).toContain(phone.contact)
    for (const stranger of strangers) expect(bindings).not.toContain(stranger.phone.contact)
  }
})

/** The statuses that the owner gets for all that they have. */
async function contentOf({
  nms,
  http,
  content,
  object,
  folder,
  subscription,
  channel,
  waiting,
  tid,
  link,
}: StoredThings) {
  const answers = [
    await nms.get(object),
    await nms.get(`${object}/payload`),
    await nms.get(folder),
    await nms.get(subscription),
    await nms.get(`${channels(nms)}/${channel}`),
    await http.get(`/waiting/${waiting}`),
    await content.downloadInfo(tid),
    await content.ask('GET', link),
  ]
  return answers.map(({ status }) => status)
}
