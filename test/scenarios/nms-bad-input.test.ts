import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { logIn } from '../support/access-token.ts'
import { eventually } from '../support/eventually.ts'
import { HttpClient } from '../support/http-client.ts'
import {
  attachments,
  formats,
  formType,
  multipart,
  NmsClient,
  type NmsReply,
  newObject,
  rootFields,
} from '../support/nms-client.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const told = ({ status, fault }: NmsReply) => [status, fault.messageId, ...fault.variables]
const object = JSON.stringify({ object: newObject({ Subject: 'a' }) })

let server: TestServer
let directory: string
let alice: NmsClient
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-uploads-'))
  server = await startServer({ settings: { 'data.dir': directory, 'storage.maxUpload': '256KiB' } })
  alice = await NmsClient.open(server, 'alice')
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const nothingIsLeft = async () => {
  const rows = await server.query(
    'select 1 from messages union all select 1 from chunks union all select 1 from staged_chunks',
  )
  expect(rows).toEqual([])
  // A file has a name for as long as it takes to remove that.
  await eventually(async () => expect(await readdir(join(directory, 'uploads')).catch(() => [])).toEqual([]))
}

describe('who asks', () => {
  test('has to say who it is, by digest or with a token', async () => {
    const nobody = new NmsClient(server.http, 'wrong', alice.box)
    const reply = await nobody.get('/folders/1')
    expect(told(reply)).toEqual([401, 'POL0001', 'unauthenticated'])
    expect(reply.headers['www-authenticate']).toMatch(/Digest .*Bearer /s)
    const byDigest = new HttpClient(server, 'alice')
    const root = `${alice.box}/folders/00000000-0000-0000-0000-000000000000`
    for (const query of ['', '?listFilter=All&attrFilter=SubtreeSize']) {
      expect((await byDigest.get(`${root}${query}`)).status).toBe(200)
    }
    expect((await new HttpClient(server, 'alice', 'wrong').get(root)).status).toBe(401)
  })

  test('may do with a token what it is for, and nothing else', async () => {
    const { access } = await logIn(server, 'carol', 'oma_rest_nms.read')
    const reader = new NmsClient(server.http, access, alice.box)
    expect((await reader.get('/folders/00000000-0000-0000-0000-000000000000')).status).toBe(200)
    for (const reply of [
      await reader.ask('POST', '/objects', { body: object }),
      await reader.delete('/objects/6c9d2f0e-0000-4000-8000-000000000000'),
      await reader.send('POST', '/folders', 'folder', { attributes: {}, parentFolderPath: '/', name: 'a' }),
    ]) {
      expect(told(reply)).toEqual([403, 'POL0001', 'insufficient-scope'])
    }
    const writer = new NmsClient(server.http, (await logIn(server, 'carol', 'oma_rest_nms.create')).access, alice.box)
    const { status, location } = await writer.ask('POST', '/objects', { body: object })
    expect(status).toBe(201)
    expect((await writer.get(location)).status).toBe(403)
    const owner = await NmsClient.open(server, 'carol')
    expect((await owner.delete(location)).status).toBe(204)
  })

  test('has one box, by whatever name of its own', async () => {
    for (const box of ['acr%3Aauth', 'tel%3A%2B15550001', 'sip%3Aalice%40parley.test', 'sip:alice@PARLEY.test']) {
      const one = await NmsClient.open(server, 'alice', { box: `/nms/v1/ums/${box}` })
      const root = (await one.get('/folders/00000000-0000-0000-0000-000000000000')).read('folder')
      expect(root.resourceURL).toContain(`/nms/v1/ums/${encodeURIComponent(decodeURIComponent(box))}/`)
    }
    for (const box of [
      'tel%3A%2B15550002',
      'sip%3Abob%40parley.test',
      'sip%3Anobody%40parley.test',
      'acr%3Aother',
      '%00',
    ]) {
      const one = await NmsClient.open(server, 'alice', { box: `/nms/v1/parley/${box}` })
      expect(told(await one.get('/folders/1')), box).toEqual([403, 'POL0001', 'not-permitted'])
    }
    const other = await NmsClient.open(server, 'alice', { box: '/nms/v1/other/acr%3Aauth' })
    expect((await other.get('/folders/1')).status).toBe(404)
  })
})

test('a Host that is none comes back in no link', async () => {
  const { location } = await alice.ask('POST', '/objects', { body: object })
  for (const host of ['evil"><script>', 'a b', 'user@here', 'here/there']) {
    const reply = await alice.get(location, { headers: { host } })
    const { resourceURL } = reply.status === 200 ? reply.read('object') : { resourceURL: undefined }
    expect([reply.status, resourceURL], host).toBeOneOf([
      [200, new URL(location).pathname],
      [400, undefined],
    ])
  }
  expect((await alice.get(location, { headers: { host: 'store.example.org:8443' } })).read('object').resourceURL).toBe(
    `http://store.example.org:8443${new URL(location).pathname}`,
  )
  expect((await alice.delete(location)).status).toBe(204)
})

test('ids of somebody else lead nowhere, whatever is asked of them', async () => {
  const bob = await NmsClient.open(server, 'bob')
  const secret = Buffer.from('nobody else sees this')
  const inner = multipart([{ headers: { 'Content-Type': 'image/gif' }, body: secret }], 'b')
  const made = await bob.upload(newObject({}, { parentFolderPath: '/private' }), [
    attachments('multipart/mixed; boundary=b', inner),
  ])
  const before = await bob.get(made.location)
  const { payloadPart = [], parentFolder = '' } = before.read('object')
  const id = made.location.split('/').at(-1)
  const folder = parentFolder.split('/').at(-1)
  const here = { parentFolder: parentFolder.replace(bob.box, alice.box) }
  const attempts: readonly (readonly [string, string, string?])[] = [
    ['GET', `/objects/${id}`],
    ['DELETE', `/objects/${id}`],
    ['GET', `/objects/${id}/flags`],
    ['PUT', `/objects/${id}/flags`, '{"flagList":{"flag":["mine"]}}'],
    ['GET', `/objects/${id}/flags/a`],
    ['PUT', `/objects/${id}/flags/a`, '{"empty":null}'],
    ['DELETE', `/objects/${id}/flags/a`],
    ['GET', `/objects/${id}/payload`],
    ['GET', `/objects/${id}/payloadParts/${payloadPart[0]?.href.split('/').at(-1)}`],
    ['GET', `/folders/${folder}`],
    ['GET', `/folders/${folder}?listFilter=All&attrFilter=MsgCount`],
    ['DELETE', `/folders/${folder}`],
    ['GET', `/folders/${folder}/folderName`],
    ['PUT', `/folders/${folder}/folderName`, '{"name":"mine"}'],
  ]
  for (const [method, path, body] of attempts) {
    const reply = await alice.ask(method, path, body === undefined ? {} : { body })
    expect([reply.status, reply.fault.messageId], `${method} ${path}`).toEqual([404, 'SVC0004'])
    const inBob = new NmsClient(server.http, (await logIn(server, 'alice')).access, '/nms/v1/parley/tel%3A%2B15550002')
    expect((await inBob.ask(method, path, body === undefined ? {} : { body })).status, `${method} ${path}`).toBe(403)
  }
  const into = [here, { parentFolder }, { parentFolder: parentFolder.replace('acr%3Aauth', 'tel%3A%2B15550002') }]
  for (const more of into) {
    expect((await alice.send('POST', '/objects', 'object', newObject({}, more))).status).toBe(400)
    const below = { attributes: {}, name: 'mine', ...more }
    expect((await alice.send('POST', '/folders', 'folder', below)).status).toBe(400)
  }
  expect((await bob.get(made.location)).text).toBe(before.text)
  expect((await bob.get(payloadPart[0]?.href ?? '')).bytes.equals(secret)).toBe(true)
  expect((await bob.delete(parentFolder)).status).toBe(204)
})

describe('the format', () => {
  const root = '/folders/00000000-0000-0000-0000-000000000000'
  test.each([
    ['application/xml', 'application/xml'],
    ['text/xml;q=0.5, application/json;q=0.4', 'application/xml'],
    ['application/json, application/xml', 'application/json'],
    ['application/*;q=0.1', 'application/json'],
    ['text/html, */*;q=0.1', 'application/json'],
    ['application/json;q=0, */*', 'application/xml'],
  ])('of an answer for Accept: %s is %s', async (accept, type) => {
    const { status, headers } = await alice.get(root, { headers: { accept } })
    expect([status, headers['content-type']]).toEqual([200, `${type}; charset=utf-8`])
  })

  test('may be asked for in the URL, and one that nobody has is refused', async () => {
    expect((await alice.get(`${root}?resFormat=XML`)).type).toMatch(/xml/)
    for (const reply of [
      await alice.get(root, { headers: { accept: 'text/html' } }),
      await alice.get(`${root}?resFormat=CSV`),
    ]) {
      expect(told(reply)).toEqual([406, 'POL0011'])
    }
  })

  test('of a body has to be one of ours', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'a/b/c', '']) {
      const reply = await alice.ask('POST', '/objects', { body: object, headers: { 'content-type': type } })
      expect(told(reply), type).toEqual([415, 'POL0011'])
    }
    const form = multipart(
      [{ headers: { ...rootFields('').headers, 'Content-Type': 'text/plain' }, body: object }],
      'outer',
    )
    expect(told(await alice.ask('POST', '/objects', { body: form, type: formType }))).toEqual([415, 'POL0011'])
    expect(told(await alice.ask('POST', '/objects'))).toEqual([400, 'SVC0002', 'body (missing)'])
  })

  test('another method is refused with those that there are', async () => {
    const { status, headers } = await alice.ask('POST', '/objects/6c9d2f0e-0000-4000-8000-000000000000/payload', {
      body: object,
    })
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD'])
  })
})

describe('a body that is not what it should be', () => {
  const xml = (content: string, root = 'object') =>
    `<n:${root} xmlns:n="urn:oma:xml:rest:netapi:nms:1">${content}</n:${root}>`
  test.each([
    ['json', 'that ends too early', '{', 'body (not JSON)'],
    ['json', 'without what it needs', '{"object":{"attributes":{}}}', /^object \(/],
    [
      'json',
      'with a number for a text',
      '{"object":{"attributes":{},"flags":{"flag":["a",1]}}}',
      /^object\.flags\.flag\.1 \(/,
    ],
    [
      'json',
      'with something that nobody knows',
      '{"object":{"attributes":{},"flags":{},"colour":"red"}}',
      'object.colour (not known)',
    ],
    ['json', 'of another structure', '{"folder":{"attributes":{}}}', /^body \(/],
    ['json', 'nested a thousand deep', `{"object":${'['.repeat(1000)}${']'.repeat(1000)}}`, 'body (too deep)'],
    [
      'json',
      'with a date that is none',
      '{"object":{"attributes":{"attribute":[{"name":"Date","value":["yesterday"]}]},"flags":{}}}',
      'object.attributes.Date',
    ],
    [
      'json',
      'with a NUL in a text',
      '{"object":{"attributes":{"attribute":[{"name":"Subject","value":["\\u0000"]}]},"flags":{}}}',
      /a character that is none/,
    ],
    ['json', 'with a flag that is none', '{"object":{"attributes":{},"flags":{"flag":["a b"]}}}', /not a flag/],
    ['xml', 'of no namespace', '<object/>', /root element/],
    ['xml', 'in another order', xml('<flags/><attributes/>'), /^object\.attributes \(/],
    ['xml', 'that is not closed', xml('<attributes/><flags>'), /^object \(/],
    [
      'xml',
      'with a document type',
      `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>${xml('<attributes/><flags/><path>&b;</path>')}`,
      /document type/,
    ],
    ['xml', 'nested a thousand deep', xml('<a>'.repeat(1000) + '</a>'.repeat(1000)), /too deep/],
  ] as const)('in %s, %s, is refused', async (format, _, body, variable) => {
    const reply = await alice.ask('POST', '/objects', { format, body })
    expect(reply.type).toContain(format)
    expect(told(reply).slice(0, 2)).toEqual([400, 'SVC0002'])
    expect(reply.fault.variables[0]).toMatch(variable)
    await nothingIsLeft()
  })

  test('is refused where it is too long', async () => {
    const body = JSON.stringify({ object: newObject({ Subject: 'a'.repeat(1_100_000) }) })
    expect(told(await alice.ask('POST', '/objects', { body }))).toEqual([413, 'POL0001', 'too-large'])
  })

  test('names what is wrong with a query', async () => {
    const root = '/folders/00000000-0000-0000-0000-000000000000'
    for (const query of [
      'listFilter=Some',
      'listFilter=All&maxEntries=-1',
      'listFilter=All&maxEntries=0',
      'path=Maybe',
    ]) {
      expect(told(await alice.get(`${root}?${query}`)).slice(0, 2), query).toEqual([400, 'SVC0002'])
    }
    for (const cursor of ['x', 'f.forged', 'o.forged', `o.${'a'.repeat(4000)}`, 'f.%00']) {
      expect(told(await alice.get(`${root}?listFilter=All&fromCursor=${cursor}`)).slice(0, 2), cursor).toEqual([
        400,
        'SVC0002',
      ])
    }
  })
})

describe('an upload', () => {
  const fields = rootFields(object)
  const upload = (body: Buffer, type = formType) => alice.ask('POST', '/objects', { body, type })
  const payload = attachments('image/gif', 'GIF89a')

  test.each([
    ['without a boundary', [fields, payload], 'multipart/form-data', /no boundary/],
    ['of another boundary', [fields, payload], 'multipart/form-data; boundary=inner', /no closing boundary/],
    ['without root-fields', [payload], formType, /root-fields/],
    ['with root-fields in second place', [payload, fields], formType, /root-fields/],
    [
      'of another entry',
      [fields, { headers: { 'Content-Disposition': 'form-data; name="more"' }, body: '' }],
      formType,
      /not attachments/,
    ],
    ['of two payloads', [fields, payload, payload], formType, /too many/],
    [
      'of a part that is shorter than it says',
      [fields, attachments('image/gif', 'GIF', { 'Content-Length': '4' })],
      formType,
      /shorter than it says/,
    ],
    [
      'of a part that is longer than it says',
      [fields, attachments('image/gif', 'GIF', { 'Content-Length': '2' })],
      formType,
      /longer than it says/,
    ],
    [
      'of a part of no length',
      [fields, attachments('image/gif', 'GIF', { 'Content-Length': '-1' })],
      formType,
      /not a Content-Length/,
    ],
    [
      'that is not base64',
      [fields, attachments('image/gif', 'not*base64', { 'Content-Transfer-Encoding': 'base64' })],
      formType,
      /not base64/,
    ],
    [
      'of half of base64',
      [fields, attachments('image/gif', 'R0lGO', { 'Content-Transfer-Encoding': 'base64' })],
      formType,
      /not base64/,
    ],
    [
      'of an unknown encoding',
      [fields, attachments('image/gif', 'a', { 'Content-Transfer-Encoding': 'uuencode' })],
      formType,
      /unknown/,
    ],
    [
      'of parts that do not end',
      [fields, attachments('multipart/mixed; boundary=b', '--b\r\n\r\nhalf')],
      formType,
      /no closing boundary/,
    ],
    ['of parts without any', [fields, attachments('multipart/mixed; boundary=b', '--b--\r\n')], formType, /no part/],
    [
      'of very many parts',
      [
        fields,
        attachments(
          'multipart/mixed; boundary=b',
          multipart(
            Array.from({ length: 65 }, () => ({ headers: {}, body: '' })),
            'b',
          ),
        ),
      ],
      formType,
      /too many parts/,
    ],
    [
      'of a field that is no header',
      [fields, { headers: { 'Content-Disposition': 'form-data; name="attachments"', '': 'x' }, body: '' }],
      formType,
      /not a header field/,
    ],
  ] as const)('%s is refused, and nothing of it stays', async (_, entries, type, variable) => {
    const reply = await upload(multipart(entries, 'outer'), type)
    expect(told(reply).slice(0, 2), reply.text).toEqual([400, 'SVC0002'])
    expect(reply.fault.variables[0]).toMatch(variable)
    await nothingIsLeft()
  })

  test('that is larger than it may be is refused, and nothing of it stays', async () => {
    const reply = await upload(multipart([fields, attachments('video/mp4', Buffer.alloc(300_000))], 'outer'))
    expect(told(reply)).toEqual([413, 'POL0001', 'too-large'])
    await nothingIsLeft()
  })

  test('that is cut anywhere is refused, and nothing of it stays', async () => {
    const inner = multipart([{ headers: { 'Content-Type': 'text/plain' }, body: 'half a word' }], 'b')
    const whole = multipart([fields, attachments('multipart/mixed; boundary=b', inner)], 'outer')
    for (let at = 0; at < whole.length - 3; at += 7) {
      expect((await upload(whole.subarray(0, at))).status, `cut at ${at}`).toBe(400)
    }
    await nothingIsLeft()
    const { status, location } = await upload(whole)
    expect(status).toBe(201)
    expect((await alice.delete(location)).status).toBe(204)
  })

  test('of a client that goes away half way leaves nothing', async () => {
    const whole = multipart([fields, attachments('video/mp4', Buffer.alloc(200_000))], 'outer')
    const { access } = await logIn(server, 'alice')
    const { hostname, port } = new URL(server.http)
    const headers = { authorization: `Bearer ${access}`, 'content-type': formType, 'content-length': whole.length }
    const sent = request({ hostname, port, method: 'POST', path: `${alice.box}/objects`, headers })
    sent.on('error', () => undefined)
    await new Promise<void>((resolve) => sent.write(whole.subarray(0, 150_000), () => resolve()))
    await eventually(async () => expect(await readdir(join(directory, 'uploads'))).toEqual([]))
    sent.destroy()
    await nothingIsLeft()
    expect((await alice.get('/folders/00000000-0000-0000-0000-000000000000')).status).toBe(200)
  })

  test('beyond those that one user may have at a time has to wait', async () => {
    const { access } = await logIn(server, 'bob')
    const { hostname, port } = new URL(server.http)
    const headers = { authorization: `Bearer ${access}`, 'content-type': formType, 'content-length': 200_000 }
    const slow = Array.from({ length: 9 }, () => {
      const sent = request({ hostname, port, method: 'POST', path: `${alice.box}/objects`, headers })
      sent.on('error', () => undefined)
      sent.write('--outer\r\n')
      return sent
    })
    // One of them is too many; from now on the others hold all there is.
    await Promise.race(slow.map((sent) => once(sent, 'response')))
    const bob = new NmsClient(server.http, access, alice.box)
    const refused = await bob.upload(newObject(), [payload])
    expect([told(refused), refused.headers['retry-after']]).toEqual([[503, 'SVC0001', 'overloaded'], '1'])
    expect((await upload(multipart([fields, payload], 'outer'))).status).toBe(201) // of another user
    for (const sent of slow) sent.destroy()
    await eventually(async () => expect((await bob.upload(newObject(), [payload])).status).toBe(201))
    for (const user of [alice, bob]) {
      const root = '/folders/00000000-0000-0000-0000-000000000000?listFilter=Objects'
      const { objects } = (await user.get(root)).read('folder')
      for (const { resourceURL } of objects?.objectReference ?? []) await user.delete(resourceURL)
    }
  })

  test('of a text that is none is kept as the bytes that it is', async () => {
    const bytes = Buffer.from([0x66, 0xff, 0xfe, 0x00, 0x67])
    const { location } = await upload(multipart([fields, attachments('text/plain; charset=utf-8', bytes)], 'outer'))
    const { payloadURL = '' } = (await alice.get(location)).read('object')
    expect((await alice.get(payloadURL)).bytes.equals(bytes)).toBe(true)
    await alice.delete(location)
  })

  test('of a type that lies is given back as bytes that no browser opens', async () => {
    for (const [type, given] of [
      ['text/html', 'application/octet-stream'],
      ['image/svg+xml', 'application/octet-stream'],
      ['image/gif', 'image/gif'],
      ['image/gif\u0001; x', 'application/octet-stream'],
      ['no type at all', 'application/octet-stream'],
    ] as const) {
      const { location } = await upload(multipart([fields, attachments(type, '<script>alert(1)</script>')], 'outer'))
      const { headers, bytes } = await alice.get(`${location}/payload`, { headers: { accept: 'text/html' } })
      expect(headers, type).toMatchObject({
        'content-type': given,
        'content-disposition': 'attachment',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "sandbox; default-src 'none'",
      })
      expect(bytes.toString()).toBe('<script>alert(1)</script>')
      await alice.delete(location)
    }
  })

  test('of a file whose name is a trick keeps the name and nothing of the trick', async () => {
    const names = ['../../etc/passwd', 'a"; filename="b.exe', 'Straße.txt']
    const parts = names.map((name) => ({
      headers: {
        'Content-Type': 'image/gif',
        'Content-Disposition': `attachment; filename="${name.replaceAll('"', '\\"')}"`,
      },
      body: 'x',
    }))
    const inner = multipart(parts, 'b')
    const { location } = await upload(multipart([fields, attachments('multipart/mixed; boundary=b', inner)], 'outer'))
    const { payloadPart = [] } = (await alice.get(location)).read('object')
    const given = await Promise.all(
      payloadPart.map(async ({ href }) => (await alice.get(href)).headers['content-disposition']),
    )
    for (const one of given) expect(one).toMatch(/^attachment; filename="[^"/]*"; filename\*=UTF-8''[\w.%-]+$/)
    await alice.delete(location)
  })
})

test.each(formats)('in %s, several objects of which one is wrong as a whole are none', async (format) => {
  const reply = await alice.ask('POST', '/objects/operations/bulkCreation', {
    format,
    body:
      format === 'json' ? '{"objectList":{"object":[]}}' : '<n:objectList xmlns:n="urn:oma:xml:rest:netapi:nms:1"/>',
  })
  expect(told(reply).slice(0, 2)).toEqual([400, 'SVC0002'])
  const many = { object: Array.from({ length: 101 }, () => newObject()) }
  const tooMany = await alice.send('POST', '/objects/operations/bulkCreation', 'objectList', many, { format })
  expect(told(tooMany)).toEqual([403, 'POL0001', 'too-many'])
  await nothingIsLeft()
})

test('a mailbox that is full takes no more and says so, with links as the operator wants them', async () => {
  const url = 'https://store.example.org/api'
  const settings = { 'storage.maxObjects': '2', 'storage.maxBytes': '1KiB', 'storage.url': url }
  await using small = await startServer({ settings })
  const carol = await NmsClient.open(small, 'carol')
  const large = await carol.upload(newObject(), [attachments('image/gif', Buffer.alloc(2000))])
  expect(told(large)).toEqual([403, 'POL0001', 'mailbox-full'])
  const { object: three } = { object: Array.from({ length: 3 }, () => newObject()) }
  const bulk = await carol.send('POST', '/objects/operations/bulkCreation', 'objectList', { object: three })
  const { response } = bulk.read('bulkResponseList')
  expect(response.map(({ code }) => code)).toEqual([201, 201, 403])
  const { resourceURL = '' } = response[0]?.success ?? {}
  expect(resourceURL.startsWith(`${url}${carol.box}/objects/`)).toBe(true)
  expect((await carol.delete(resourceURL.slice(url.length + carol.box.length))).status).toBe(204)
  expect((await carol.upload(newObject(), [attachments('image/gif', Buffer.alloc(1000))])).status).toBe(201)
})
