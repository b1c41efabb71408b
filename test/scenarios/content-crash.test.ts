import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { readResumeInfo } from '../../src/protocols/rcs-file/file-info.ts'
import { passwordOf } from '../support/add-users.ts'
import { ask, ContentClient, fileForm, formDataType, formOf, linkIn } from '../support/content-client.ts'
import { eventually } from '../support/eventually.ts'
import { prepareServer } from '../support/spawn-server.ts'

const MiB = 1_048_576

test('a server that is killed during an upload has what it had committed, and takes the rest', {
  timeout: 120_000,
}, async () => {
  await using server = await prepareServer()
  const added = await server.run('user', 'add', 'sip:alice@parley.test', '--password', passwordOf('alice'))
  expect(added.code).toBe(0)
  await server.start()
  const alice = await ContentClient.open({ http: `http://${server.http}` }, 'alice')
  const whole = await alice.up({ body: 'whole before' })
  const photo = randomBytes(20 * MiB + 99)
  const form = formOf(fileForm('cut', { body: photo }))
  const [host = '', port] = server.http.split(':')
  const socket = connect(Number(port), host).on('error', () => {})
  socket.write(
    `POST /content HTTP/1.1\r\nHost: x\r\nAuthorization: ${alice.headers.authorization}\r\nContent-Type: ${formDataType}\r\nContent-Length: ${form.length}\r\n\r\n`,
  )
  socket.write(form.subarray(0, 18 * MiB))
  const kept = async () => {
    const info = await alice.uploadInfo('cut')
    return info.status === 200 ? readResumeInfo(info.body).end + 1 : 0
  }
  const before = await eventually(async () => {
    const bytes = await kept()
    expect(bytes).toBeGreaterThanOrEqual(16 * MiB)
    return bytes
  })
  expect(await server.kill('SIGKILL')).toBe('SIGKILL')
  socket.destroy()
  await server.start()
  expect(await kept()).toBe(before)
  const rest = await alice.put('cut', `bytes ${before}-${photo.length - 1}/${photo.length}`, photo.subarray(before))
  expect(rest.status).toBe(200)
  const base = `http://${server.http}`
  expect((await ask(base, 'GET', linkIn(rest))).body.equals(photo)).toBe(true)
  expect((await ask(base, 'GET', whole)).text).toBe('whole before')
})
