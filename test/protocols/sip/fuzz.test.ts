import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { featuresOf, matches, readAcceptContact, rejects } from '../../../src/protocols/sip/accept-contact.ts'
import { addressOfRecord } from '../../../src/protocols/sip/address-of-record.ts'
import { checkRequest, checkResponse } from '../../../src/protocols/sip/check-request.ts'
import { readCSeq } from '../../../src/protocols/sip/cseq.ts'
import { readSipDate } from '../../../src/protocols/sip/date.ts'
import { readChallenge, readCredentials } from '../../../src/protocols/sip/digest.ts'
import { seenNames } from '../../../src/protocols/sip/header-names.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { type SipMessage, SipRequest, writeMessage } from '../../../src/protocols/sip/message.ts'
import { readNameAddr, readNameAddrs, writeNameAddr } from '../../../src/protocols/sip/name-addr.ts'
import { readParams, writeParams } from '../../../src/protocols/sip/params.ts'
import { readMessage } from '../../../src/protocols/sip/read-message.ts'
import { responseTo } from '../../../src/protocols/sip/respond.ts'
import { StreamReader } from '../../../src/protocols/sip/stream-reader.ts'
import { readUri, sameUri, writeUri } from '../../../src/protocols/sip/uri.ts'
import { readTopVia, readVia, removeTopVia, writeVia } from '../../../src/protocols/sip/via.ts'

const folder = new URL('../fixtures/rfc4475/', import.meta.url)
const files = readdirSync(folder).map((file) => readFileSync(new URL(file, folder)))
const limits = { maxBytes: 16_384, maxHeaders: 64, maxHeaderLength: 4_096 }

let inputs = 0
afterAll(() => {
  expect(inputs).toBeGreaterThanOrEqual(100_000)
  expect(seenNames()).toBeLessThanOrEqual(1_024)
})

/** Runs `read`; what it throws must be MalformedSip. */
function orMalformed<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}

/** What a server does with a message before it knows what it is. */
function use(message: SipMessage): void {
  orMalformed(() => (message instanceof SipRequest ? checkRequest(message) : checkResponse(message)))
  orMalformed(() => readTopVia(message.headers))
  orMalformed(() => readNameAddrs(message.headers.all('contact')))
  orMalformed(() => readAcceptContact(message.headers.all('accept-contact')))
  if (message instanceof SipRequest) writeMessage(responseTo(message, 400, { toTag: 'x' }))
  const again = readMessage(writeMessage(message), { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 })
  expect(again.body.equals(message.body)).toBe(true)
  removeTopVia(message.headers)
}

function readWhole(bytes: Buffer): void {
  inputs++
  try {
    use(readMessage(bytes, limits))
  } catch (err) {
    if (!(err instanceof MalformedSip)) throw err
    if (err.request) writeMessage(responseTo(err.request, err.status))
  }
}

/** The stream in pieces gives what it gives whole, and never holds more than a message may have. */
function readInPieces(bytes: Buffer, cuts: readonly number[]): void {
  inputs++
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
  expect(streamed(pieces)).toEqual(streamed([bytes]))
}

function streamed(pieces: readonly Buffer[]): string[] {
  const reader = new StreamReader(limits)
  const out: string[] = []
  try {
    for (const piece of pieces) {
      for (const value of reader.read(piece)) out.push(typeof value === 'string' ? value : outcomeOf(value))
      expect(reader.pending).toBeLessThanOrEqual(limits.maxBytes)
    }
  } catch (err) {
    if (!(err instanceof MalformedSip)) throw err
    out.push(`lost ${err.status}`)
  }
  return out
}

const outcomeOf = (value: SipMessage | MalformedSip) =>
  value instanceof MalformedSip ? `refused ${value.message}` : `${value.headers.toText()} ${value.body.length}`

const position = fc.nat(4_096)
const fragment = fc.constantFrom(
  ...['\r\n', '\r\n\r\n', '\r', '\n', '\0', ' ', '\t', ':', ';', ',', '"', '\\', '<', '>', '@', '%', '%00', '=', '?'],
  ...[
    '\r\n ',
    'l: 5\r\n',
    'Content-Length: 99999\r\n',
    'Via: ',
    'SIP/2.0',
    'sip:',
    '[',
    ']',
    '\xff',
    'é',
    '\r\n\r\n\r\n',
  ],
)

type Mutation = (bytes: Buffer) => Buffer
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(position, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => flip(at, mask)),
  position.map(
    (at): Mutation =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  ),
  fc.tuple(position, fragment).map(([at, text]) => splice(at, 0, Buffer.from(text, 'latin1'))),
  fc.tuple(position, fc.nat(200)).map(([at, length]) => splice(at, length, Buffer.alloc(0))),
  fc.tuple(position, fc.nat(100), fc.nat(20)).map(([at, length, times]) => repeat(at, length, times)),
  fc.tuple(position, fc.nat(files.length - 1)).map(([at, file]) => splice(at, 0, files[file] as Buffer)),
)

function flip(at: number, mask: number): Mutation {
  return (bytes) => {
    const flipped = Buffer.from(bytes)
    if (bytes.length > 0) flipped[at % bytes.length] = (bytes[at % bytes.length] as number) ^ mask
    return flipped
  }
}

const splice =
  (at: number, length: number, put: Buffer): Mutation =>
  (bytes) => {
    const from = at % (bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + length)])
  }

const repeat =
  (at: number, length: number, times: number): Mutation =>
  (bytes) => {
    const from = at % (bytes.length + 1)
    return splice(from, 0, Buffer.concat(Array(times).fill(bytes.subarray(from, from + length))))(bytes)
  }

const mutated = fc
  .tuple(fc.nat(files.length - 1), fc.array(mutation, { minLength: 1, maxLength: 5 }))
  .map(([file, mutations]) => mutations.reduce((bytes, mutate) => mutate(bytes), files[file] as Buffer))

test('torture messages with flips, cuts, joins and repeats are messages or MalformedSip', () => {
  fc.assert(fc.property(mutated, readWhole), { numRuns: 30_000 })
})

test('the same on a stream, cut anywhere', () => {
  fc.assert(fc.property(mutated, fc.array(position, { maxLength: 6 }), readInPieces), { numRuns: 15_000 })
})

test('random bytes and random lines are messages or MalformedSip', () => {
  const bytes = fc.uint8Array({ maxLength: 400 }).map((random) => Buffer.from(random))
  const lines = fc
    .array(fc.oneof(fragment, fc.string({ maxLength: 12 })), { maxLength: 40 })
    .map((pieces) => Buffer.from(pieces.join(''), 'latin1'))
  const headed = lines.map((rest) => Buffer.concat([Buffer.from('MESSAGE sip:a SIP/2.0\r\nl: 5\r\n'), rest]))
  fc.assert(
    fc.property(fc.oneof(bytes, lines, headed), fc.array(position, { maxLength: 4 }), (random, cuts) => {
      readWhole(random)
      readInPieces(random, cuts)
    }),
    { numRuns: 15_000 },
  )
})

/** Pieces of every grammar, so that random strings come near to what is meant. */
const near = fc.constantFrom(
  ...[
    'sip:',
    'sips:',
    'tel:',
    'urn:',
    '@',
    ':',
    ';',
    ',',
    '=',
    '?',
    '&',
    '%',
    '%41',
    '%00',
    '<',
    '>',
    '"',
    '\\',
    ' ',
    '\t',
  ],
  ...[
    'a',
    'B',
    '1',
    '+1-5',
    '[::1]',
    '5060',
    '192.0.2.1',
    'h.example',
    '*',
    '!',
    '#=1',
    '#>=',
    'TRUE',
    '~',
    "'",
    '/',
    'é',
    '\0',
  ],
  ...[
    'SIP/2.0/UDP ',
    'SIP / 2.0 / TCP ',
    'branch',
    'tag',
    'lr',
    'Digest ',
    'realm',
    'nonce',
    'uri',
    'username',
    'response',
  ],
  ...['*;', '+g.x', 'audio', 'require', 'explicit', 'MESSAGE', '4294967296', '\r\n', '=x, ', '="x", '],
)
const text = fc.oneof(
  fc.array(near, { maxLength: 24 }).map((pieces) => pieces.join('')),
  fc.string({ maxLength: 40, unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
  fc.string({ maxLength: 40, unit: 'binary' }),
)

const fieldReaders: Readonly<Record<string, (text: string) => void>> = {
  uri: (text) => {
    const uri = readUri(text)
    expect(readUri(writeUri(uri))).toEqual(uri)
    expect(sameUri(uri, uri)).toBe(true)
  },
  nameAddr: (text) => {
    const address = readNameAddr(text)
    expect(readNameAddr(writeNameAddr(address))).toEqual(address)
  },
  nameAddrs: (text) => readNameAddrs([text, text]),
  params: (text) => {
    const params = readParams(text)
    expect(readParams(writeParams(params))).toEqual(params)
  },
  via: (text) => {
    const via = readVia(text)
    expect(readVia(writeVia(via))).toEqual(via)
  },
  credentials: (text) => readCredentials(`Digest ${text}`),
  challenge: (text) => readChallenge(`Digest ${text}`),
  acceptContact: (text) => {
    const features = featuresOf(new Map([['+g.x', text]]))
    for (const predicate of readAcceptContact([text, `*;${text}`]))
      matches(predicate, features) && rejects(predicate, features)
  },
  cseq: (text) => readCSeq(text),
  addressOfRecord: (text) => {
    const aor = addressOfRecord(text)
    if (aor !== undefined) expect(addressOfRecord(aor)).toBe(aor)
  },
  date: (text) => readSipDate(text),
}

test.each(Object.entries(fieldReaders))('any text is a value for %s or MalformedSip', (_, read) => {
  fc.assert(
    fc.property(text, (given) => {
      inputs++
      orMalformed(() => read(given))
    }),
    { numRuns: 6_000 },
  )
})

/** What takes a square of the length would not end within the time of a test. */
test('long runs of one thing are read in time that grows with their length', () => {
  const runs = [
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '"',
    '\\',
    '<',
    '(',
    '.',
    '-',
    '1',
    'a',
    '%41',
    '=',
    '; ',
    ' ,',
    'a ',
    '\r\n ',
    'a\r\n',
    '/',
  ]
  const heads = [
    '',
    'sip:',
    'sip:a@',
    'tel:+',
    '<',
    '"',
    'SIP/2.0/UDP ',
    'SIP / 2.0 / UDP a',
    '*',
    ';a=',
    'a=',
    '1 ',
    'sip:a;',
  ]
  for (const run of runs) {
    const long = run.repeat(100_000)
    readWhole(Buffer.from(`MESSAGE ${long} SIP/2.0\r\n\r\n`))
    readWhole(Buffer.from(`MESSAGE sip:a${long}\r\n\r\n`))
    readWhole(Buffer.from(`MESSAGE sip:a SIP/2.0\r\n${long}\r\n\r\n`))
    readWhole(Buffer.from(`MESSAGE sip:a SIP/2.0\r\nTo:${long}x\r\n\r\n`))
    for (const head of heads)
      for (const read of Object.values(fieldReaders)) orMalformed(() => read(`${head}${long}\0`))
  }
})
