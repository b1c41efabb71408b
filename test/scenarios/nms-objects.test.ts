import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { attachments, attribute, formats, multipart, NmsClient, newObject } from '../support/nms-client.ts'
import { startServer } from '../support/start-server.ts'

const mail = { From: 'tel:+15550002', Subject: 'Holiday', 'Message-Context': 'multimedia-message' }
const picture = Buffer.from(Array.from({ length: 3000 }, (_, at) => at % 251))

describe.each(formats)('in %s', (format) => {
  test('an object in two parts is created in a folder that comes with it, and comes back as it went in', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const inner = multipart(
      [
        { headers: { 'Content-Type': 'text/plain' }, body: 'see the lake' },
        {
          headers: {
            'Content-Type': 'image/gif',
            'Content-ID': '<lake@here>',
            'Content-Disposition': 'attachment; filename="lake.gif"',
          },
          body: picture,
        },
      ],
      'in-ner',
    )
    const asked = newObject(mail, {
      parentFolderPath: '/main/backup/Holiday',
      flags: { flag: ['\\Seen', '\\Flagged'] },
      correlationId: 'lake-1',
      correlationTag: 'tag-1',
    })
    const created = await alice.upload(asked, [attachments('multipart/mixed; boundary="in-ner"', inner)], { format })
    expect(created.status, created.text).toBe(201)
    const { resourceURL, path } = created.read('reference')
    expect(created.location).toBe(resourceURL)
    expect(path).toBe(`/main/backup/Holiday/${resourceURL.split('/').at(-1)}`)

    const found = (await alice.get(resourceURL, { format })).read('object')
    expect(found).toMatchObject({ resourceURL, path, correlationId: 'lake-1', correlationTag: 'tag-1' })
    expect(found.flags).toEqual({ flag: ['\\Flagged', '\\Seen'], resourceURL: `${resourceURL}/flags` })
    expect(attribute(found, 'Subject')).toEqual(['Holiday'])
    expect(attribute(found, 'From')).toEqual(['tel:+15550002'])
    expect(attribute(found, 'Direction')).toEqual(['In'])
    expect(attribute(found, 'Content-Type')).toEqual(['multipart/mixed; boundary="in-ner"'])
    expect(found.lastModSeq).toBeGreaterThan(0)
    expect(found.payloadPart).toMatchObject([
      { contentType: 'text/plain', size: 12 },
      { contentType: 'image/gif', size: 3000, contentId: 'lake@here' },
    ])
    const part = await alice.get(found.payloadPart?.[1]?.href ?? '')
    expect(part.type).toBe('image/gif')
    expect(part.bytes.equals(picture)).toBe(true)
    expect(part.headers['content-disposition']).toBe('attachment; filename="lake.gif"')
    const payload = await alice.get(found.payloadURL ?? '')
    expect(payload.type).toBe('multipart/mixed; boundary="in-ner"')
    expect(payload.headers['content-length']).toBe(`${payload.bytes.length}`)
    expect(payload.bytes.includes(picture)).toBe(true)
    expect(payload.text).toContain('see the lake')
    const end = await alice.get(found.payloadURL ?? '', { headers: { range: 'bytes=100-' } })
    expect(end.bytes.equals(payload.bytes.subarray(100))).toBe(true)
  })

  test('a short text is an attribute of its object, and no payload', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const text = 'Füchse & <Hühner>\r\nin two lines'
    const uploaded = await alice.upload(newObject(mail), [attachments('text/plain; charset=utf-8', text)], { format })
    const attributes = { ...mail, From: 'tel:+15550003', TextContent: text }
    const said = await alice.send('POST', '/objects', 'object', newObject(attributes), { format })
    for (const created of [uploaded, said]) {
      expect(created.status, created.text).toBe(201)
      const found = (await alice.get(created.location, { format })).read('object')
      expect(attribute(found, 'TextContent')).toEqual([text])
      expect(attribute(found, 'Content-Type')).toEqual(['text/plain; charset=utf-8'])
      expect(found.payloadURL).toBeUndefined()
      expect(found.payloadPart).toBeUndefined()
      const payload = await alice.get(`${created.location}/payload`, { format })
      expect([payload.status, payload.fault.messageId]).toEqual([404, 'SVC0004'])
    }
  })

  test('an object goes where its attributes say, and it is told who said it to whom and when', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const date = '2024-02-29T12:30:00.250+01:00'
    const sent = newObject({ from: server.aor('alice'), TO: 'tel:+15550002', date, 'Conversation-ID': 'talk-1' })
    const created = await alice.send('POST', '/objects', 'object', sent, {
      format,
      headers: { prefer: 'return=representation' },
    })
    expect(created.status, created.text).toBe(201)
    const object = created.read('object')
    expect(attribute(object, 'Direction')).toEqual(['Out'])
    expect(attribute(object, 'From')).toEqual([server.aor('alice')])
    expect(attribute(object, 'To')).toEqual(['tel:+15550002'])
    expect(attribute(object, 'Date')).toEqual(['2024-02-29T11:30:00.250Z'])
    expect(attribute(object, 'Conversation-ID')).toEqual(['talk-1'])
    expect(object.path).toMatch(/^\/Default\/(tel:\+15550002|sip:bob@parley\.test)\//)
    const again = newObject({ Subject: 'the same place' }, { parentFolder: object.parentFolder ?? '' })
    const next = await alice.send('POST', '/objects', 'object', again, { format })
    expect(next.read('reference').path?.split('/').slice(0, -1)).toEqual(object.path?.split('/').slice(0, -1))
    const nowhere = await alice.send('POST', '/objects', 'object', newObject({ Subject: 'lost' }), { format })
    expect(nowhere.read('reference').path).toMatch(/^\/[0-9a-f-]{36}$/)
  })

  test('where clients may put nothing, nothing is put', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const into = async (more: Parameters<typeof newObject>[1]) => {
      const { status, fault } = await alice.upload(newObject(mail, more), [attachments('text/plain', 'a')], { format })
      return [status, fault.messageId, ...fault.variables]
    }
    expect(await into({ parentFolderPath: '/Default' })).toEqual([403, 'POL1031', '/Default'])
    expect(await into({ parentFolderPath: '/Default/tel:+15559999' })).toEqual([403, 'POL1031', '/Default'])
    const url = `${alice.http}${alice.box}/folders/6c9d2f0e-0000-4000-8000-000000000000`
    expect(await into({ parentFolder: url })).toEqual([400, 'SVC0002', url])
    expect(await into({ parentFolder: 'http://elsewhere/main' })).toEqual([400, 'SVC0002', 'http://elsewhere/main'])
    expect(await into({ parentFolderPath: '/main//trip' })).toEqual([400, 'SVC0002', '/main//trip'])
    expect(await into({ lastModSeq: 7 })).toEqual([400, 'SVC0002', 'object.lastModSeq (not in a request)'])
    expect(await server.query('select 1 from messages')).toEqual([])
  })

  test('a deleted object is gone', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const { location } = await alice.send('POST', '/objects', 'object', newObject(mail), { format })
    const gone = await alice.delete(location, { format })
    expect([gone.status, gone.text]).toEqual([204, ''])
    for (const { status, fault } of [await alice.get(location, { format }), await alice.delete(location, { format })]) {
      expect([status, fault]).toEqual([404, { messageId: 'SVC0004', variables: [new URL(location).pathname] }])
    }
  })

  test('flags are listed, replaced, and set and cleared one by one', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const made = await alice.send('POST', '/objects', 'object', newObject(mail, { flags: { flag: ['\\seen'] } }), {
      format,
    })
    const flags = `${made.location}/flags`
    const list = async () => (await alice.get(flags, { format })).read('flagList')
    expect(await list()).toEqual({ flag: ['\\Seen'], resourceURL: flags })

    const value = { flag: ['\\Flagged', '\\Answered', '\\FLAGGED'], resourceURL: flags }
    const put = await alice.send('PUT', flags, 'flagList', value, { format })
    expect([put.status, put.read('flagList')]).toEqual([200, { flag: ['\\Answered', '\\Flagged'], resourceURL: flags }])
    const other = {
      flag: [],
      resourceURL: `${alice.http}${alice.box}/objects/6c9d2f0e-0000-4000-8000-000000000000/flags`,
    }
    expect((await alice.send('PUT', flags, 'flagList', other, { format })).fault.variables).toEqual([
      'flagList.resourceURL',
    ])

    const seen = `${flags}/%5CSeen`
    const absent = await alice.get(seen, { format })
    expect([absent.status, absent.read('empty')]).toEqual([404, {}])
    const added = await alice.send('PUT', seen, 'empty', {}, { format })
    expect([added.status, added.location, added.read('empty')]).toEqual([201, seen, {}])
    expect((await alice.ask('PUT', seen, { format })).status).toBe(204)
    expect((await alice.get(`${flags}/%5Cseen`, { format })).status).toBe(204)
    expect((await list()).flag).toEqual(['\\Answered', '\\Flagged', '\\Seen'])
    expect((await alice.delete(seen, { format })).status).toBe(204)
    const twice = await alice.delete(seen, { format })
    expect([twice.status, twice.read('empty')]).toEqual([404, {}])
    expect(
      (await alice.get(`${alice.box}/objects/none/flags`.slice(alice.box.length), { format })).fault.messageId,
    ).toBe('SVC0004')
  })

  test('of several objects each is created by itself, and what became of each is told in their order', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const pictures = { parentFolderPath: '/Pictures', flags: { flag: ['\\Seen'] } }
    const object = [
      newObject(mail, pictures),
      newObject(mail, { parentFolderPath: '/Default' }),
      newObject({}, pictures),
    ]
    const entries = [attachments('image/gif', picture), attachments('image/gif', picture), attachments(undefined, '')]
    const answer = await alice.uploadMany({ object }, entries, { format })
    expect(answer.status, answer.text).toBe(200)
    const [first, second, third] = answer.read('bulkResponseList').response
    expect(first).toMatchObject({
      code: 201,
      reason: 'Created',
      success: { path: expect.stringMatching(/^\/Pictures\//) },
    })
    expect(second).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      failure: { policyException: { messageId: 'POL1031' } },
    })
    expect(third).toMatchObject({ code: 201 })
    const found = (await alice.get(first?.success?.resourceURL ?? '', { format })).read('object')
    expect((await alice.get(found.payloadURL ?? '')).bytes.equals(picture)).toBe(true)
    const empty = (await alice.get(third?.success?.resourceURL ?? '', { format })).read('object')
    expect(empty.payloadURL).toBeUndefined()

    const none = await alice.send(
      'POST',
      '/objects/operations/bulkCreation',
      'objectList',
      { object: object.slice(1, 2) },
      { format },
    )
    expect([none.status, none.read('bulkResponseList').response.length]).toEqual([403, 1])
    const fewer = await alice.uploadMany({ object }, entries.slice(1), { format })
    expect([fewer.status, fewer.fault.messageId]).toEqual([400, 'SVC0002'])
    expect(await server.query('select count(*)::int as n from messages')).toEqual([{ n: 2 }])
  })
})

test('a payload of some megabytes is kept and given back in ranges, and nothing of the upload stays beside it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-uploads-'))
  await using server = await startServer({ settings: { 'data.dir': directory } })
  const alice = await NmsClient.open(server, 'alice')
  const film = Buffer.alloc(3_000_000, 'frame by frame, ')
  const { location } = await alice.upload(newObject(mail), [attachments('video/mp4', film)])
  const { payloadURL = '' } = (await alice.get(location)).read('object')
  const all = await alice.get(payloadURL)
  expect(all.bytes.equals(film)).toBe(true)
  expect(all.headers).toMatchObject({
    'content-type': 'video/mp4',
    'content-length': '3000000',
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
  })
  const middle = await alice.get(payloadURL, { headers: { range: 'bytes=1500000-1500099' } })
  expect([middle.status, middle.headers['content-range']]).toEqual([206, 'bytes 1500000-1500099/3000000'])
  expect(middle.bytes.equals(film.subarray(1_500_000, 1_500_100))).toBe(true)
  const last = await alice.get(payloadURL, { headers: { range: 'bytes=-7' } })
  expect(last.bytes.equals(film.subarray(-7))).toBe(true)
  const beyond = await alice.get(payloadURL, { headers: { range: 'bytes=3000000-' } })
  expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */3000000'])
  const head = await alice.ask('HEAD', payloadURL)
  expect([head.status, head.headers['content-length'], head.bytes.length]).toEqual([200, '3000000', 0])
  expect(await readdir(join(directory, 'uploads'))).toEqual([])
  await rm(directory, { recursive: true })
})

test('parts that were encoded for mail are kept as what they are', async () => {
  await using server = await startServer()
  const alice = await NmsClient.open(server, 'alice')
  const lines = picture.toString('base64').replace(/.{76}/g, '$&\r\n')
  const inner = multipart(
    [
      {
        headers: {
          'Content-Type': 'audio/amr',
          'Content-Transfer-Encoding': 'base64',
          'Content-Length': `${lines.length}`,
        },
        body: lines,
      },
      {
        headers: { 'Content-Type': 'text/html', 'Content-Transfer-Encoding': 'quoted-printable' },
        body: 'caf=C3=A9 =\r\nau lait=3D',
      },
    ],
    'b2',
  )
  const { location } = await alice.upload(newObject(mail), [attachments('multipart/related; boundary=b2', inner)])
  const { payloadPart = [] } = (await alice.get(location)).read('object')
  expect((await alice.get(payloadPart[0]?.href ?? '')).bytes.equals(picture)).toBe(true)
  expect((await alice.get(payloadPart[1]?.href ?? '')).text).toBe('café au lait=')
})

test('two clients that change one flag at once see the same end', async () => {
  await using server = await startServer()
  const [one, other] = [await NmsClient.open(server, 'alice'), await NmsClient.open(server, 'alice')]
  const { location } = await one.send('POST', '/objects', 'object', newObject(mail))
  const seen = `${location}/flags/%5CSeen`
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all([
      one.ask('PUT', seen),
      other.delete(seen),
      other.ask('PUT', `${location}/flags/a${round}`),
    ])
    expect(answers.map(({ status }) => status)).toEqual([
      expect.toBeOneOf([201, 204]),
      expect.toBeOneOf([204, 404]),
      201,
    ])
    const [first, second] = await Promise.all([one.get(location), other.get(location)])
    expect(first.read('object')).toEqual(second.read('object'))
  }
  expect((await one.get(`${location}/flags`)).read('flagList').flag?.filter((flag) => flag !== '\\Seen')).toHaveLength(
    10,
  )
})
