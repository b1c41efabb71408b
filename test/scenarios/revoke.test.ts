import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cpimText, icsiTag, sendCpm } from '../support/cpim-text.ts'
import type { Phone, RequestOptions } from '../support/phone.ts'
import type { SipText } from '../support/sip-text.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const revocationType = 'application/vnd.gsma.rcsrevoke+xml'
const takesRevocations = ['+g.gsma.rcs.msgrevoke', icsiTag]
const namespace = 'urn:gsma:params:xml:ns:rcs:rcs:rcsrevoke'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ settings: { 'storage.default': 'always' } })
})
afterAll(() => server[Symbol.asyncDispose]())

const revokes = (id: string) => `<MessageRevoke xmlns="${namespace}"><Message-ID>${id}</Message-ID></MessageRevoke>`

function revoke(phone: Phone, to: string, xml: string, options: RequestOptions = {}): Promise<SipText> {
  const body =
    `From: <${phone.aor}>\r\nTo: <${to}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ${randomUUID()}\r\n` +
    `DateTime: ${new Date().toISOString()}\r\n\r\nContent-Type: ${revocationType}\r\n\r\n${xml}`
  return phone.message(to, body, { contentType: 'message/cpim', ...options })
}

const isAnswer = ({ text }: SipText) => text.includes('MessageRevokeResponse')
async function answerTo(phone: Phone) {
  const told = await phone.receive('MESSAGE', isAnswer)
  return {
    from: /<(\S+)>/.exec(told.header('From') ?? '')?.[1],
    id: /<Message-ID>(.*)<\/Message-ID>/.exec(told.text)?.[1],
    result: /<result>(.*)<\/result>/.exec(told.text)?.[1],
  }
}

const copies = async (id: string, owner: string) => {
  const of = `(select subscriber from identities where uri = '${server.aor(owner)}')`
  return await server.query(`select flags from messages where correlation_id = '${id}' and owner = ${of}`)
}

test('a message that nobody has yet is taken back: nothing of it waits, and its recipient has no copy', async () => {
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const id = randomUUID()
  expect((await sendCpm(alice, bob.aor, 'a mistake', { id })).status).toBe(202)
  expect((await revoke(alice, bob.aor, revokes(id))).status).toBe(202)
  expect(await answerTo(alice)).toEqual({ from: bob.aor, id, result: 'success' })
  expect(await server.query('select 1 from deferred')).toEqual([])
  expect(await copies(id, 'bob')).toEqual([])
  expect(await copies(id, 'alice')).toEqual([{ flags: ['$Revoked', '\\Seen'] }])
  await bob.register()
  await sendCpm(alice, bob.aor, 'marker')
  expect(cpimText(await bob.receive('MESSAGE'))).toBe('marker')
  await bob.unregister()
})

test('a message that a device has cannot be taken back: its copy is marked, devices that take revocations are told', async () => {
  const [alice, plain, able] = [await server.online('alice'), await server.phone('bob'), await server.phone('bob')]
  await plain.register({ params: [icsiTag] })
  await able.register({ params: takesRevocations })
  const id = randomUUID()
  expect((await sendCpm(alice, plain.aor, 'too late', { id })).status).toBe(200)
  await able.receive('MESSAGE')
  expect((await revoke(alice, plain.aor, revokes(id))).status).toBe(202)
  expect((await able.receive('MESSAGE')).text).toContain(revokes(id))
  expect(await answerTo(alice)).toMatchObject({ id, result: 'failed' })
  expect(await copies(id, 'bob')).toEqual([{ flags: ['$Revoked'] }])
  expect(plain.received).toHaveLength(1)
  await Promise.all([plain.unregister(), able.unregister()])
})

test('nobody but its sender can take a message back', async () => {
  const [alice, carol] = [await server.online('alice'), await server.online('carol')]
  const id = randomUUID()
  expect((await sendCpm(alice, server.aor('bob'), 'mine', { id })).status).toBe(202)
  expect((await revoke(carol, server.aor('bob'), revokes(id))).status).toBe(202)
  expect(await answerTo(carol)).toMatchObject({ id, result: 'failed' })
  const inDisguise = await revoke(carol, server.aor('bob'), revokes(id), { from: `<${alice.aor}>` })
  expect(inDisguise.status).toBe(403)
  const bob = await server.online('bob')
  expect(cpimText(await bob.receive('MESSAGE'))).toBe('mine')
  expect(await copies(id, 'bob')).toEqual([{ flags: [] }])
  await bob.unregister()
})

test('what came of it, only the server tells', async () => {
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  const forged = revokes('m')
    .replaceAll('MessageRevoke', 'MessageRevokeResponse')
    .replace('</Message-ID>', '</Message-ID><result>success</result>')
  expect((await revoke(bob, alice.aor, forged)).status).toBe(200)
  await bob.message(alice.aor, 'marker')
  expect((await alice.receive('MESSAGE')).text).toBe('marker')
  await bob.unregister()
})

test('an answer waits for a sender who is away', async () => {
  await using other = await startServer()
  const alice = await other.phone('alice')
  const id = randomUUID()
  await sendCpm(alice, other.aor('bob'), 'bye', { id })
  expect((await revoke(alice, other.aor('bob'), revokes(id))).status).toBe(202)
  await alice.register()
  expect(await answerTo(alice)).toMatchObject({ id, result: 'success' })
})

test('a message that edits another one marks both copies of it, if its sender is the same', async () => {
  const [alice, carol, bob] = [await server.phone('alice'), await server.phone('carol'), await server.online('bob')]
  const id = randomUUID()
  await sendCpm(alice, bob.aor, 'with a mistake', { id })
  const edit = (phone: Phone) => {
    const body =
      `From: <${phone.aor}>\r\nTo: <${bob.aor}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nNS: rcs <urn:example:rcs>\r\n` +
      `imdn.Message-ID: ${randomUUID()}\r\nrcs.Reference-ID: ${id}\r\nrcs.Reference-Type: edit\r\n\r\n` +
      'Content-Type: text/plain\r\n\r\nwithout a mistake'
    return phone.message(bob.aor, body, { contentType: 'message/cpim' })
  }
  expect((await edit(carol)).status).toBe(200)
  expect(await copies(id, 'bob')).toEqual([{ flags: [] }])
  expect((await edit(alice)).status).toBe(200)
  expect(await copies(id, 'bob')).toEqual([{ flags: ['$Edited'] }])
  expect(await copies(id, 'alice')).toEqual([{ flags: ['$Edited', '\\Seen'] }])
  await bob.unregister()
})

test.each([
  ['<MessageRevoke/>'],
  ['<MessageRevoke><Message-ID>'],
  [`<!DOCTYPE x [<!ENTITY e "m">]>${revokes('m')}`],
  ['evoke'],
])('%s is refused', async (xml) => {
  const alice = await server.phone('alice')
  expect((await revoke(alice, server.aor('bob'), xml)).status).toBe(400)
})

test('a text about rcsrevoke is a message', async () => {
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  expect((await alice.message(bob.aor, `have you read ${revocationType}?`)).status).toBe(200)
  await bob.receive('MESSAGE')
  await bob.unregister()
})
