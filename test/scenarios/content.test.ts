import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readFileInfo, readResumeInfo } from '../../src/protocols/rcs-file/file-info.ts'
import { passwordOf } from '../support/add-users.ts'
import { ask, ContentClient, fileForm, formDataType, formOf, linkIn } from '../support/content-client.ts'
import { eventually } from '../support/eventually.ts'
import { readChallenge, writeCredentials } from '../support/phone-digest.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const MiB = 1_048_576
const photo = randomBytes(3 * MiB + 12_345)
const thumbnail = randomBytes(2_000)

let server: TestServer
let alice: ContentClient
let bob: ContentClient
let folder: string

/** On disk, of all users. */
async function filesOf(of: TestServer): Promise<string[]> {
  const [row] = await of.query(`select encode(substr(value, 1, 8), 'hex') as name from secrets where name = 'content'`)
  const found = await readdir(join(folder, String(row?.name)), { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((one) => one.isFile()).map(({ name }) => name)
}

const get = (path: string, headers: Record<string, string> = {}) => ask(server.http, 'GET', path, headers)

/** Sends so much of a file, and no more. */
async function cutUpload(tid: string, kept: number): Promise<void> {
  const whole = formOf(fileForm(tid, { body: photo }))
  const { hostname, port } = new URL(server.http)
  const socket = connect(Number(port), hostname).on('error', () => {})
  const head = `POST /content HTTP/1.1\r\nHost: x\r\nAuthorization: ${alice.headers.authorization}\r\nContent-Type: ${formDataType}\r\nContent-Length: ${whole.length}\r\n\r\n`
  socket.write(head)
  socket.end(whole.subarray(0, whole.indexOf(photo.subarray(0, 64)) + kept))
  await eventually(async () => expect(await sizeOf(tid)).toBe(kept))
}

const sizeOf = async (tid: string) => {
  const [row] = await server.query(`select size::int from content_files where tid = '${tid}' and role = 'file'`)
  return row?.size
}

describe.each(['directory', 'database'])('with files in a %s', (kind) => {
  const start = (settings: Record<string, string>) =>
    startServer({ settings: { ...settings, ...(kind === 'directory' && { 'content.dir': folder }) } })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-content-'))
    server = await start({
      'content.maxFileSize': '8MiB',
      'content.maxUserBytes': '60MiB',
      'content.maxThumbnailSize': '4KiB',
    })
    alice = await ContentClient.open(server, 'alice')
    bob = await ContentClient.open(server, 'bob')
  })

  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  describe('an upload', () => {
    test('begins with an empty POST: a challenge for a stranger, 204 for a user', async () => {
      const stranger = await ask(server.http, 'POST', '/content', { 'content-length': '0' })
      expect(stranger.status).toBe(401)
      expect(stranger.headers['www-authenticate']).toMatch(/^Digest .*Bearer realm=/)
      expect((await alice.ask('POST', '/content', { 'content-length': '0' })).status).toBe(204)
    })

    test('by digest gives the links to the file and its preview, which anybody may follow', async () => {
      const first = await ask(server.http, 'POST', '/content', { 'content-length': '0' })
      const challenge = readChallenge(String(first.headers['www-authenticate']))
      const proof = { method: 'POST', uri: '/content', username: 'alice', password: passwordOf('alice') }
      const headers = { authorization: writeCredentials(challenge, proof), 'content-type': formDataType }
      const form = formOf(fileForm(randomUUID(), { body: photo, fileName: 'Zürich 1.jpg' }, thumbnail))
      const up = await ask(server.http, 'POST', '/content', headers, form)
      expect(up.status).toBe(200)
      expect(up.headers['content-type']).toMatch(/^application\/vnd\.gsma\.rcs-ft-http\+xml/)
      const [preview, file] = readFileInfo(up.body)
      expect(preview).toMatchObject({ type: 'thumbnail', size: 2_000, contentType: 'image/jpeg' })
      expect(file).toMatchObject({ type: 'file', size: photo.length, name: 'Zürich 1.jpg', contentType: 'image/jpeg' })
      expect(file?.until).toBeGreaterThan(Date.now() + 29 * 86_400_000)
      expect((await get(linkIn(up))).body.equals(photo)).toBe(true)
      expect((await get(linkIn(up, 'thumbnail'))).body.equals(thumbnail)).toBe(true)
    })

    test('without a length, in small pieces, is taken as well', async () => {
      const form = formOf(fileForm(randomUUID(), { body: photo }))
      async function* pieces() {
        for (let at = 0; at < form.length; at += 70_001) yield form.subarray(at, at + 70_001)
      }
      const up = await alice.ask('POST', '/content', { 'content-type': formDataType }, pieces())
      expect(up.status).toBe(200)
      expect((await get(linkIn(up))).body.equals(photo)).toBe(true)
    })

    test('of any length around that of a chunk comes back as it was, nothing included', async () => {
      for (const length of [0, 1, MiB - 1, MiB, MiB + 1, 2 * MiB]) {
        const link = await alice.up({ body: photo.subarray(0, length) })
        expect((await get(link)).body.equals(photo.subarray(0, length))).toBe(true)
        expect((await alice.ask('DELETE', link)).status).toBe(204)
      }
    })

    test('is found again by its tid, by its user alone', async () => {
      const tid = randomUUID()
      const link = await alice.up({ body: 'found' }, tid)
      expect(linkIn(await alice.downloadInfo(tid))).toBe(link)
      expect(readResumeInfo((await alice.uploadInfo(tid)).body)).toMatchObject({ start: 0, end: 4 })
      expect((await bob.downloadInfo(tid)).status).toBe(404)
      expect((await bob.uploadInfo(tid)).status).toBe(404)
      expect((await ask(server.http, 'GET', `/content?tid=${tid}&get_download_info`)).status).toBe(401)
    })

    test('with the tid of one that is whole is refused, and the file stays what it was', async () => {
      const tid = randomUUID()
      const link = await alice.up({ body: 'first' }, tid)
      expect((await alice.post(fileForm(tid, { body: 'second' }))).status).toBe(409)
      expect((await get(link)).text).toBe('first')
      expect(linkIn(await alice.downloadInfo(tid))).toBe(link)
      await bob.up({ body: 'of bob' }, tid)
    })
  })

  describe('an upload that stops half way', () => {
    test('goes on where it stopped, in the middle of a chunk', async () => {
      const tid = randomUUID()
      const kept = 2 * MiB + 4_321
      await cutUpload(tid, kept)
      const info = await alice.uploadInfo(tid)
      expect(readResumeInfo(info.body)).toMatchObject({ start: 0, end: kept - 1 })
      expect((await alice.downloadInfo(tid)).status).toBe(404)
      const { pathname, search } = new URL(readResumeInfo(info.body).url)
      const range = `bytes ${kept}-${photo.length - 1}/${photo.length}`
      const rest = await alice.ask('PUT', pathname + search, { 'content-range': range }, photo.subarray(kept))
      expect(rest.status).toBe(200)
      expect((await get(linkIn(await alice.downloadInfo(tid)))).body.equals(photo)).toBe(true)
    })

    test('goes on only where it stopped, to its end, and with what the range says', async () => {
      const tid = randomUUID()
      await cutUpload(tid, MiB + 5)
      const total = photo.length
      const wrong = [
        [`bytes 0-${total - 1}/${total}`, photo, 416],
        [`bytes ${MiB + 6}-${total - 1}/${total}`, photo.subarray(MiB + 6), 416],
        [`bytes ${MiB + 5}-${total - 2}/${total}`, photo.subarray(MiB + 5), 400],
        [`bytes ${MiB + 5}-${MiB + 4}/${total}`, photo.subarray(0, 1), 400],
        [`bytes ${MiB + 5}-${100 * MiB}/${100 * MiB + 1}`, photo.subarray(0, 1), 413],
        ['bytes=0-', photo, 400],
      ] as const
      for (const [range, body, status] of wrong) expect((await alice.put(tid, range, body)).status).toBe(status)
      expect((await bob.put(tid, `bytes ${MiB + 5}-${total - 1}/${total}`, photo.subarray(MiB + 5))).status).toBe(404)
      const tooMuch = await alice.put(tid, `bytes ${MiB + 5}-${MiB + 9}/${MiB + 10}`, photo.subarray(0, 100))
      expect(tooMuch.status).toBe(400)
      expect(await sizeOf(tid)).toBe(MiB + 5)
      const tooLittle = await alice.put(
        tid,
        `bytes ${MiB + 5}-${total - 1}/${total}`,
        photo.subarray(MiB + 5, MiB + 105),
      )
      expect(tooLittle.status).toBe(400)
      const at = Number(await sizeOf(tid))
      expect(at).toBe(MiB + 105)
      expect((await alice.put(tid, `bytes ${at}-${total - 1}/${total}`, photo.subarray(at))).status).toBe(200)
      expect((await get(linkIn(await alice.downloadInfo(tid)))).body.equals(photo)).toBe(true)
      expect((await alice.put(tid, `bytes 0-1/2`, photo.subarray(0, 2))).status).toBe(404)
    })

    test('may begin anew with the same tid, and has one file then', async () => {
      const tid = randomUUID()
      await cutUpload(tid, MiB)
      const link = await alice.up({ body: 'anew' }, tid)
      expect((await get(link)).text).toBe('anew')
      expect(await server.query(`select role from content_files where tid = '${tid}'`)).toHaveLength(1)
    })

    test('is forgotten after a day, chunks and all, and a whole file when its days are over', async () => {
      const tid = randomUUID()
      await cutUpload(tid, MiB)
      const [row] = await server.query(`select until - created as kept from content_files where tid = '${tid}'`)
      expect(row?.kept).toMatchObject({ days: 1 })
    })
  })

  test('of two uploads of one tid at once one is whole, and nothing of the other is in it', async () => {
    const tid = randomUUID()
    const [a, b] = [randomBytes(5 * MiB), randomBytes(5 * MiB)]
    const both = await Promise.all([a, b].map((body) => alice.post(fileForm(tid, { body }))))
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    const winner = both[0]?.status === 200 ? a : b
    expect((await get(linkIn(await alice.downloadInfo(tid)))).body.equals(winner)).toBe(true)
    expect(await server.query(`select 1 from content_files where tid = '${tid}'`)).toHaveLength(1)
  })

  describe('a download', () => {
    let link: string
    beforeAll(async () => {
      link = await alice.up({ body: photo })
    })

    test('by HEAD tells what there is, without it', async () => {
      const head = await ask(server.http, 'HEAD', link)
      expect(head.status).toBe(200)
      expect(head.body).toHaveLength(0)
      expect(head.headers).toMatchObject({
        'content-length': String(photo.length),
        'content-type': 'image/jpeg',
        'accept-ranges': 'bytes',
        'content-disposition': 'attachment; filename="photo.jpg"',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "sandbox; default-src 'none'",
      })
    })

    test.each([
      ['bytes=0-9', 0, 10],
      ['bytes=-7', photo.length - 7, photo.length],
      [`bytes=${MiB - 3}-${MiB + 3}`, MiB - 3, MiB + 4],
      [`bytes=${3 * MiB}-`, 3 * MiB, photo.length],
    ])('of %s has those bytes', async (range, from, to) => {
      const part = await get(link, { range })
      expect(part.status).toBe(206)
      expect(part.headers['content-range']).toBe(`bytes ${from}-${to - 1}/${photo.length}`)
      expect(part.headers['content-length']).toBe(String(to - from))
      expect(part.body.equals(photo.subarray(from, to))).toBe(true)
    })

    test('of several ranges has each with its place', async () => {
      const parts = await get(link, { range: `bytes=5-9,${2 * MiB}-${2 * MiB + 1}` })
      expect(parts.status).toBe(206)
      expect(parts.headers['content-length']).toBe(String(parts.body.length))
      const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(String(parts.headers['content-type']))?.[1]
      const expected = [
        `\r\n--${boundary}\r\ncontent-type: image/jpeg\r\ncontent-range: bytes 5-9/${photo.length}\r\n\r\n`,
        photo.subarray(5, 10),
        `\r\n--${boundary}\r\ncontent-type: image/jpeg\r\ncontent-range: bytes ${2 * MiB}-${2 * MiB + 1}/${photo.length}\r\n\r\n`,
        photo.subarray(2 * MiB, 2 * MiB + 2),
        `\r\n--${boundary}--\r\n`,
      ]
      expect(parts.body.equals(Buffer.concat(expected.map((piece) => Buffer.from(piece))))).toBe(true)
    })

    test('beyond the end is refused with the length, and a Range that is none is passed over', async () => {
      const beyond = await get(link, { range: `bytes=${photo.length}-` })
      expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${photo.length}` } })
      for (const range of ['bytes=9-5', 'bytes=0-1,1-2', 'pages=1-2'])
        expect((await get(link, { range })).status).toBe(200)
    })

    test('goes on where it stopped as long as the file is the same', async () => {
      const etag = String((await ask(server.http, 'HEAD', link)).headers.etag)
      expect((await get(link, { range: 'bytes=5-', 'if-range': etag })).status).toBe(206)
      expect((await get(link, { range: 'bytes=5-', 'if-range': '"another"' })).status).toBe(200)
      expect(await get(link, { 'if-none-match': `"x", ${etag}` })).toMatchObject({ status: 304, text: '' })
    })

    test('of what a browser would run is bytes to it, whatever its sender said', async () => {
      for (const type of [
        'text/html',
        'image/svg+xml',
        'application/javascript',
        'application/xhtml+xml',
        'nonsense',
      ]) {
        const page = await alice.up({ body: '<script>alert(1)</script>', type, fileName: 'x.html' })
        const { headers } = await get(page)
        expect(headers['content-type']).toBe('application/octet-stream')
        expect(headers['content-disposition']).toMatch(/^attachment;/)
      }
    })

    test('keeps nothing of a path in the name', async () => {
      for (const fileName of ['../../etc/passwd', 'C:\\\\x\\\\passwd', '/etc/passwd']) {
        expect((await get(await alice.up({ body: 'x', fileName }))).headers['content-disposition']).toBe(
          'attachment; filename="passwd"',
        )
      }
    })

    test.each(['GET', 'HEAD'])('by %s of a link that is not one is 404, and tells nothing', async (method) => {
      const turned = link.slice(0, -1) + (link.endsWith('A') ? 'B' : 'A')
      const paths = [turned, '/content/x', '/content/..%2f..%2fetc%2fpasswd', '/content/%00', `${link}%20`, `${link}A`]
      for (const path of paths) expect((await ask(server.http, method, path)).status).toBe(404)
    })

    test('that is given up leaves nothing behind', async () => {
      const { hostname, port } = new URL(server.http)
      const socket = connect(Number(port), hostname)
      socket.write(`GET ${link} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await new Promise((resolve) => socket.once('data', resolve))
      socket.destroy()
      await eventually(async () => expect(await server.metric('parley_content_transfers')).toBe(0))
    })
  })

  describe('a file', () => {
    test('is removed by its owner, by nobody else, and is gone then', async () => {
      const link = await alice.up({ body: 'mine' })
      expect((await ask(server.http, 'DELETE', link)).status).toBe(401)
      expect((await bob.ask('DELETE', link)).status).toBe(404)
      expect((await get(link)).text).toBe('mine')
      expect((await alice.ask('DELETE', link)).status).toBe(204)
      expect((await get(link)).status).toBe(404)
    })

    test('goes with its user', async () => {
      await using other = await start({ 'admin.token': 'a-token-of-some-length' })
      const carol = await ContentClient.open(other, 'carol')
      const link = await carol.up({ body: 'mine' })
      expect((await ask(other.http, 'GET', link)).status).toBe(200)
      const admin = { authorization: 'Bearer a-token-of-some-length' }
      const user = encodeURIComponent('sip:carol@parley.test')
      expect((await ask(other.http, 'DELETE', `/admin/v1/users/${user}`, admin)).status).toBe(204)
      await eventually(async () => expect((await ask(other.http, 'GET', link)).status).toBe(404))
      expect(await other.query('select 1 from content_chunks')).toEqual([])
      await eventually(async () => expect(await filesOf(other)).toEqual([]))
    })

    test('is for users only where the configuration says so', async () => {
      await using strict = await start({ 'content.downloads': 'authenticated' })
      const client = await ContentClient.open(strict, 'alice')
      const link = await client.up({ body: 'for users' })
      expect((await ask(strict.http, 'GET', link)).status).toBe(401)
      expect((await (await ContentClient.open(strict, 'bob')).ask('GET', link)).text).toBe('for users')
    })

    test('has a link that begins as the configuration says', async () => {
      await using proxied = await start({ 'content.url': 'https://files.example.org/rcs/' })
      const client = await ContentClient.open(proxied, 'alice')
      const [file] = readFileInfo((await client.post(fileForm('x', { body: 'x' }))).body)
      expect(file?.url).toMatch(/^https:\/\/files\.example\.org\/rcs\/content\/[\w-]{51}$/)
    })
  })

  describe('a form', () => {
    const post = (body: Buffer, type = formDataType) => alice.ask('POST', '/content', { 'content-type': type }, body)
    const tid = { name: 'tid', body: 'x-form' }
    const file = { name: 'File', fileName: 'f', body: 'content' }

    test.each([
      ['without a file', formOf([tid]), 400],
      ['without a tid', formOf([file]), 400],
      ['with the tid after the file', formOf([file, tid]), 400],
      ['with a tid that has spaces', formOf([{ ...tid, body: 'a b' }, file]), 400],
      ['with two files', formOf([tid, file, file]), 400],
      ['with fields beyond number', formOf([...Array(20).fill(tid), file]), 400],
      ['with a field that is too long', formOf([tid, { name: 'x', body: Buffer.alloc(20_000) }, file]), 413],
      ['with header fields that are too long', formOf([tid, { ...file, head: `A: ${'x'.repeat(10_000)}` }]), 400],
      ['with a preview that is too large', formOf(fileForm('x-form', file, Buffer.alloc(5_000))), 413],
      ['with a file that is too large', formOf([tid, { ...file, body: Buffer.alloc(8 * MiB + 1) }]), 413],
      ['that is much too large', formOf([tid, { ...file, body: Buffer.alloc(9 * MiB) }]), 413],
      ['that is not one', Buffer.from('no form'), 400],
    ])('%s is refused, and nothing of it is kept', async (_, body, status) => {
      expect((await post(body)).status).toBe(status)
      expect(await server.query(`select 1 from content_files where tid = 'x-form' and role = 'file'`)).toEqual([])
    })

    test('of another type, or without a boundary, is refused', async () => {
      expect((await post(formOf([tid, file]), 'application/json')).status).toBe(415)
      expect((await post(formOf([tid, file]), 'multipart/form-data')).status).toBe(400)
      expect((await post(formOf([tid, file]), `multipart/form-data; boundary=${'x'.repeat(200)}`)).status).toBe(400)
    })

    test('of somebody who is no user is not looked at', async () => {
      const form = formOf(fileForm('stranger', { body: photo }))
      expect((await ask(server.http, 'POST', '/content', { 'content-type': formDataType }, form)).status).toBe(401)
      expect(await server.query(`select 1 from content_files where tid = 'stranger'`)).toEqual([])
    })
  })

  test('files beyond what one user may have are refused, until some are removed', async () => {
    await using small = await start({ 'content.maxUserBytes': '2MiB' })
    const client = await ContentClient.open(small, 'alice')
    const link = await client.up({ body: Buffer.alloc(MiB) })
    expect((await client.post(fileForm('more', { body: Buffer.alloc(MiB + 1) }))).status).toBe(507)
    await (await ContentClient.open(small, 'bob')).up({ body: Buffer.alloc(MiB) })
    await client.ask('DELETE', link)
    await client.up({ body: Buffer.alloc(MiB + 1) })
  })
})
