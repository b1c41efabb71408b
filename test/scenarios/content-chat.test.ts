import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { fileInfoType, readFileInfo } from '../../src/protocols/rcs-file/file-info.ts'
import { agreeOnChat, hangUp } from '../support/chat-pair.ts'
import { ask, ContentClient, fileForm } from '../support/content-client.ts'
import { awaitCalls } from '../support/phone-call.ts'
import { startServer } from '../support/start-server.ts'

test('a file that one party of a chat puts up is had by the other one, by what the message says of it', async () => {
  await using server = await startServer()
  const photo = randomBytes(300_000)
  const thumbnail = randomBytes(900)
  const up = await (await ContentClient.open(server, 'alice')).post(fileForm('of-chat', { body: photo }, thumbnail))
  expect(up.status).toBe(200)
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  awaitCalls(bob)
  const chat = await agreeOnChat(server, [alice, bob])
  expect([await chat.near.bind(), await chat.far.bind()]).toEqual(['200 OK', '200 OK'])

  const said = `From: <${alice.aor}>\r\nTo: <${bob.aor}>\r\nDateTime: 2030-01-01T00:00:00Z\r\n\r\nContent-Type: ${fileInfoType}\r\n\r\n${up.text}`
  chat.near.client.send({ to: chat.near.to, contentType: 'message/cpim', body: said })
  const heard = await chat.far.client.receive()
  chat.far.client.respond(heard)
  expect((await chat.near.client.receive()).what).toBe('200 OK')

  const xml = String(heard.body).slice(String(heard.body).indexOf('<?xml'))
  const files = readFileInfo(Buffer.from(xml))
  expect(files.map(({ type }) => type)).toEqual(['thumbnail', 'file'])
  for (const { type, url, size } of files) {
    const { origin, pathname } = new URL(url)
    const had = await ask(origin, 'GET', pathname) // bob has shown the file server nothing but the link
    expect(had.status).toBe(200)
    expect(had.body).toHaveLength(size)
    expect(had.body.equals(type === 'file' ? photo : thumbnail)).toBe(true)
  }
  await hangUp(chat)
})
