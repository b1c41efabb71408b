import { Readable } from 'node:stream'
import fc from 'fast-check'
import { type NewObject, objectKinds } from '../../../src/enablers/message-store/index.ts'
import { isFromLine } from '../../../src/protocols/mbox/mbox.ts'

/** Texts that files have trouble with, and none that Postgres cannot hold. */
const text = (maxLength: number, minLength = 0) =>
  fc
    .oneof(
      fc.string({ unit: 'binary', maxLength, minLength }),
      fc.constantFrom(
        'From here',
        '>From there',
        ' edge ',
        'a\r\nb\n\nFrom c',
        '--parley-',
        '=?utf-8?B?4pyT?=',
        '%41',
        '✓',
      ),
    )
    .map((value) => value.replace(/\0/g, '').padEnd(minLength, 'x'))

const name = fc
  .string({ unit: fc.constantFrom('a', 'B', 'é', ' ', '%', '.', '"', "'"), minLength: 1, maxLength: 6 })
  .map((value) => `f${value}f`)

const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)) },
  {
    weight: 6,
    arbitrary: fc
      .array(fc.constantFrom('From me', '>From', '', 'text', '\r', '--parley-x--', 'é'), { maxLength: 8 })
      .map((lines) => Buffer.from(lines.join('\n'))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 10_000, max: 400_000 }), fc.nat(255))
      .map(([size, value]) => Buffer.alloc(size, value)),
  },
)

const contentType = fc.constantFrom('text/plain', 'message/cpim', 'image/png', 'Text/Plain; charset="ü"', 'text/html')
const payload = fc.record({ contentType, content: bytes })
const part = fc.record(
  {
    contentType,
    content: bytes,
    contentId: text(10),
    contentLocation: text(10),
    disposition: text(10),
    fileName: text(10),
  },
  { requiredKeys: ['contentType', 'content'] },
)
const flag = fc.constantFrom(
  '\\Seen',
  '\\Answered',
  '\\Flagged',
  '\\Draft',
  '\\Deleted',
  '\\Recent',
  '$MDNSent',
  'mine',
)

/** Any object that a mailbox takes. */
export const anyObject: fc.Arbitrary<NewObject & { id: string }> = fc.record(
  {
    id: fc.uuid(),
    folderPath: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => ['Default', ...names]),
    kind: fc.constantFrom(...objectKinds),
    date: fc.integer({ min: 0, max: 4e12 }),
    direction: fc.constantFrom('in' as const, 'out' as const),
    peer: fc.constantFrom('sip:bob@parley.test', 'tel:+15550002', 'sip:b%20c@x.test'),
    flags: fc.uniqueArray(flag),
    correlationId: text(20, 1),
    correlationTag: text(20, 1),
    conversationId: text(20, 1),
    contributionId: text(20, 1),
    attributes: fc.dictionary(
      fc.constantFrom('Subject', 'From', 'X-Other', 'Message-Context'),
      fc.array(text(20), { minLength: 1, maxLength: 3 }),
    ),
    payload,
    parts: fc.array(part, { minLength: 1, maxLength: 3 }),
    text: text(200, 1),
    expiresAt: fc.integer({ min: 4_000_000_000_000, max: 4_100_000_000_000 }),
  },
  { requiredKeys: ['id', 'folderPath', 'kind', 'date', 'direction', 'peer', 'flags', 'attributes'] },
) as fc.Arbitrary<NewObject & { id: string }>

/** A file in pieces of `size` bytes. */
export const inPieces = (file: Buffer, size = 65_536): AsyncIterable<Buffer> =>
  Readable.from(
    Array.from({ length: Math.ceil(file.length / size) }, (_, at) => file.subarray(at * size, (at + 1) * size)),
  )

export async function whole(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

export { isFromLine }
