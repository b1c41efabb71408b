import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NmsFault } from '../../../src/enablers/message-store/rest/nms-fault.ts'
import { UploadReader } from '../../../src/enablers/message-store/rest/upload.ts'
import { attachments, formType, multipart, rootFields } from '../../support/nms-client.ts'

const limits = { bytes: 1_000_000, contents: 1 }
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-uploads-'))
})
afterAll(() => rm(directory, { recursive: true }))

const film = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 253))
const form = multipart(
  [
    rootFields('{}'),
    attachments(
      'multipart/mixed; boundary=in',
      multipart(
        [
          { headers: { 'Content-Type': 'text/plain' }, body: 'so' },
          { headers: {}, body: film },
        ],
        'in',
      ),
    ),
  ],
  'outer',
)

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test.each([1, 13, 4096, 200_000])('an upload in pieces of %i bytes is read as it is', async (size) => {
  const reader = new UploadReader(formType, directory, limits, () => 0)
  try {
    const { fieldsType, fields, contents } = await reader.read(inPieces(form, size))
    expect([fieldsType, fields.toString()]).toEqual(['application/json', '{}'])
    const parts = contents[0]?.parts ?? []
    expect(parts.map(({ contentType, content }) => [contentType, content.size])).toEqual([
      ['text/plain', 2],
      ['text/plain', 100_000],
    ])
    expect((await parts[1]?.content.buffer())?.equals(film)).toBe(true)
    const pieces: Buffer[] = []
    for await (const piece of parts[1]?.content ?? []) pieces.push(piece)
    expect(Buffer.concat(pieces).equals(film)).toBe(true)
    expect(await readdir(directory)).toEqual([])
  } finally {
    await reader.close()
  }
})

test('an upload that comes too slowly is given up, and one that takes its time but comes is not', async () => {
  const read = async (msForPiece: number) => {
    let now = 0
    const reader = new UploadReader(formType, directory, limits, () => (now += msForPiece))
    try {
      return await reader.read(inPieces(form, 1000))
    } finally {
      await reader.close()
    }
  }
  await expect(read(500)).rejects.toMatchObject({ status: 408, messageId: 'SVC0001' })
  await expect(read(500)).rejects.toBeInstanceOf(NmsFault)
  expect((await read(50)).contents).toHaveLength(1)
})
