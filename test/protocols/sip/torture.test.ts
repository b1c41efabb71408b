import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkRequest, checkResponse } from '../../../src/protocols/sip/check-request.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { type SipMessage, SipRequest, writeMessage } from '../../../src/protocols/sip/message.ts'
import { readNameAddr, readNameAddrs } from '../../../src/protocols/sip/name-addr.ts'
import { readMessage } from '../../../src/protocols/sip/read-message.ts'
import { StreamReader } from '../../../src/protocols/sip/stream-reader.ts'
import { readUri } from '../../../src/protocols/sip/uri.ts'
import { readTopVia } from '../../../src/protocols/sip/via.ts'
import { tortureFiles } from '../fixtures/rfc4475.ts'

const folder = new URL('../fixtures/rfc4475/', import.meta.url)
const limits = { maxBytes: 65_536, maxHeaders: 100, maxHeaderLength: 8_192 }
const load = (file: string) => readFileSync(new URL(`${file}.dat`, folder))

/** 0 for a message in order, else the status of what is wrong with it. Any other throw is a bug. */
function outcome(bytes: Buffer): number {
  try {
    const message = readMessage(bytes, limits)
    if (message instanceof SipRequest) checkRequest(message)
    else checkResponse(message)
    return 0
  } catch (err) {
    if (err instanceof MalformedSip) return err.status
    throw err
  }
}

function readPieces(pieces: readonly Buffer[]): string[] {
  const reader = new StreamReader(limits)
  const out: string[] = []
  try {
    for (const piece of pieces) {
      for (const value of reader.read(piece)) {
        if (value === 'ping' || value === 'pong') out.push(value)
        else
          out.push(value instanceof MalformedSip ? `refused ${value.status}` : writeMessage(value).toString('latin1'))
      }
    }
  } catch (err) {
    if (!(err instanceof MalformedSip)) throw err
    out.push(`lost ${err.status}`)
  }
  return out
}

test('the table names every file', () => {
  const files = readdirSync(folder).map((file) => file.replace('.dat', ''))
  expect(tortureFiles.map(({ file }) => file).sort()).toEqual(files.sort())
})

const wellFormed = tortureFiles.filter(({ clause }) => clause.startsWith('3.1.1.'))
test.each(wellFormed)('$file ($clause) is in order: $note', ({ file }) => {
  expect(outcome(load(file))).toBe(0)
})

/** Clauses 3.1.2, 3.2 and 3.3 that are for the codec to refuse; what else is wrong there is for the server. */
const refused: Readonly<Record<string, number>> = {
  badinv01: 400,
  clerr: 400,
  ncl: 400,
  scalar02: 400,
  scalarlg: 400,
  quotbal: 400,
  ltgtruri: 400,
  lwsruri: 400,
  lwsstart: 400,
  trws: 400,
  escruri: 400,
  badaspec: 400,
  baddn: 400,
  badvers: 505,
  mismatch01: 400,
  mismatch02: 400,
  bigcode: 400,
  insuf: 400,
  multi01: 400,
  mcl01: 400,
  test: 400,
}
const others = tortureFiles.filter(({ clause }) => !clause.startsWith('3.1.1.'))
test.each(others)('$file ($clause) is refused, or left to the server: $note', ({ file }) => {
  expect(outcome(load(file))).toBe(refused[file] ?? 0)
})

test.each(tortureFiles)('$file cut at every byte is a message or MalformedSip, whole or in pieces', ({ file }) => {
  const bytes = load(file)
  const whole = readPieces([bytes])
  for (let at = 0; at <= bytes.length; at++) {
    outcome(bytes.subarray(0, at))
    expect(readPieces([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole)
  }
  expect(readPieces(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))).toEqual(whole)
})

test.each(wellFormed)('$file comes out of reading and writing with the same fields and body', ({ file }) => {
  const first = readMessage(load(file), limits)
  const second = readMessage(writeMessage(first), limits)
  const fields = ({ headers }: SipMessage) =>
    [...headers.entries()].flatMap(([name, , value]) => (name === 'content-length' ? [] : [[name, value]]))
  expect(fields(second)).toEqual(fields(first))
  expect(second.body).toEqual(first.body)
})

const headersOf = (file: string) => readMessage(load(file), limits).headers

test('wsinv: white space, folds and escapes are understood', () => {
  const headers = headersOf('wsinv')
  expect(readTopVia(headers)).toMatchObject({ transport: 'UDP', host: '192.0.2.2' })
  expect(readNameAddr(headers.get('from') as string)).toMatchObject({ display: 'J Rosenberg \\"' })
  expect(readNameAddr(headers.get('to') as string).params.get('tag')).toBe('1918181833n')
  expect(readNameAddr(headers.get('contact') as string).params.get('q')).toBe('0.33')
  expect(headers.get('newfangledheader')).toBe('newfangled value continued newfangled value')
})

test('intmeth: the method, the display name and the user part are what they are', () => {
  const message = readMessage(load('intmeth'), limits) as SipRequest
  expect(message.method).toBe("!interesting-Method0123456789_*+`.%indeed'~")
  expect(readNameAddr(message.headers.get('to') as string).display).toBe('BEL:\x07 NUL:\0 DEL:\x7f')
  expect(readUri(message.uri).password).toBe("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
})

test('esc01: escapes are undone in names of URI parameters', () => {
  const [contact] = readNameAddrs(headersOf('esc01').all('contact'))
  expect([...readUri(contact?.uri as string).params]).toEqual([
    ['lr', undefined],
    ['name', 'v%61lue%25%34%31'],
  ])
})

test('esc02: C%6Fntact is no Contact', () => {
  expect(headersOf('esc02').all('contact')).toHaveLength(2)
})

test('escnull: two contacts that differ by an escaped NUL', () => {
  expect(readNameAddrs(headersOf('escnull').all('contact')).map(({ uri }) => readUri(uri).user)).toEqual([
    '%00',
    '%00%00',
  ])
})

test('longreq: all 34 Via lines are there', () => {
  expect(headersOf('longreq').all('via')).toHaveLength(34)
})

test('semiuri: the semicolon belongs to the user part', () => {
  expect(readUri((readMessage(load('semiuri'), limits) as SipRequest).uri).user).toBe('user;par=u%40example.net')
})

test('cparam01, cparam02: a parameter belongs to Contact or to the URI', () => {
  expect(readNameAddr(headersOf('cparam01').get('contact') as string)).toMatchObject({
    uri: 'sip:+19725552222@gw1.example.net',
    params: new Map([['unknownparam', undefined]]),
  })
  expect(readNameAddr(headersOf('cparam02').get('contact') as string).params.size).toBe(0)
})

test('regescrt and regbadct: header fields of a Contact URI need brackets', () => {
  expect(readNameAddr(headersOf('regescrt').get('contact') as string).uri).toContain('?Route=')
  expect(() => readNameAddr(headersOf('regbadct').get('contact') as string)).toThrow(MalformedSip)
})
