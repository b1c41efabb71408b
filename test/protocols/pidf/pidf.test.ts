import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Schemas } from '../../../src/enablers/xdm/xcap/schemas.ts'
import { MalformedPidf } from '../../../src/protocols/pidf/malformed-pidf.ts'
import { readPidf, writePidf } from '../../../src/protocols/pidf/pidf.ts'

/** As the examples of RFC 3863 §4.3 and RFC 4480 §6 have it: prefixes, notes in two languages, extensions. */
const example = `<?xml version="1.0" encoding="UTF-8"?>
<impp:presence xmlns:impp="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:my="urn:x-test:my" entity="pres:mona@parley.test">
  <impp:tuple id="bs35r9">
    <impp:status><impp:basic>open</impp:basic><my:place>office</my:place></impp:status>
    <impp:contact priority="0.8">im:mona@mobile.test</impp:contact>
    <impp:note xml:lang="en">Don't disturb, please &amp; thanks</impp:note>
    <impp:note xml:lang="fr">Ne derangez pas</impp:note>
    <impp:timestamp>2026-10-27T16:49:29Z</impp:timestamp>
  </impp:tuple>
  <impp:tuple id="eg92n8"><impp:status><impp:basic>closed</impp:basic></impp:status></impp:tuple>
  <impp:note>Back on <![CDATA[<Monday>]]></impp:note>
  <dm:person id="p1"><rpid:activities><rpid:busy/></rpid:activities></dm:person>
  <dm:device id="d1"><dm:deviceID>urn:device:0003ba4811e3</dm:deviceID></dm:device>
  <my:other>passed over</my:other>
</impp:presence>`

const read = (text: string) => readPidf(Buffer.from(text))
const tuple = '<tuple id="a"><status><basic>open</basic></status></tuple>'
const document = (content: string, attributes = 'entity="sip:a@x.test"') =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" ${attributes}>${content}</presence>`

test('a document is taken apart, and its parts stand for themselves', () => {
  const { entity, parts } = read(example)
  expect(entity).toBe('pres:mona@parley.test')
  expect(parts.map(({ kind, id }) => [kind, id])).toEqual([
    ['tuple', 'bs35r9'],
    ['tuple', 'eg92n8'],
    ['note', ''],
    ['person', 'p1'],
    ['device', 'd1'],
  ])
  for (const { xml } of parts) expect(() => new Schemas().check(undefined, Buffer.from(xml))).not.toThrow()
})

test('what is written is read again, is in the order of the schema, and is valid', () => {
  const { parts } = read(example)
  const written = writePidf({ entity: 'sip:a&b@"x".test', parts: parts.toReversed() })
  const again = readPidf(written)
  expect(again.entity).toBe('sip:a&b@"x".test')
  expect(again.parts.map(({ kind }) => kind)).toEqual(['tuple', 'tuple', 'note', 'person', 'device'])
  expect(new Set(again.parts.map(({ id }) => id))).toEqual(new Set(parts.map(({ id }) => id)))
  const schemas = new Schemas()
  expect(() => schemas.check('pidf.xsd', written)).not.toThrow()
  schemas.close()
})

describe('what is no presence document is refused', () => {
  test.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['another root element', '<presence entity="sip:a@x.test"/>'],
    ['no entity', document(tuple, '')],
    ['a tuple without id', document('<tuple><status/></tuple>')],
    ['a tuple without status', document('<tuple id="a"><note/></tuple>')],
    ['a status of another namespace', document('<tuple id="a"><status xmlns="urn:x"/></tuple>')],
    ['a document type', `<!DOCTYPE presence [<!ENTITY a "b">]>${document(tuple)}`],
    ['an entity that nobody has declared', document('<tuple id="&a;"><status/></tuple>')],
    ['a prefix that is not bound', document('<x:tuple id="a"/>')],
    ['a reference to nothing in a text', document('<note>&a;</note>')],
    ['an end tag of another name', document('<tuple id="a"><status></tuple></status>')],
    ['two root elements', document('') + document('')],
    ['elements that lie deep', document('<a>'.repeat(100) + '</a>'.repeat(100))],
    ['elements without end', document('<a/>'.repeat(10_000))],
  ])('%s', (_, text) => {
    expect(() => read(text)).toThrow(MalformedPidf)
  })
})

test('a byte order mark does no harm', () => {
  expect(read(`\uFEFF${document(tuple)}`).parts).toHaveLength(1)
})

test('cut anywhere, and with anything in it, it is read or refused', () => {
  const whole = Buffer.from(example)
  for (let end = 0; end < whole.length; end++) expect(() => readPidf(whole.subarray(0, end))).toThrow(MalformedPidf)
  const readOrRefused = (bytes: Buffer) => {
    try {
      readPidf(bytes)
    } catch (err) {
      expect(err).toBeInstanceOf(MalformedPidf)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => readOrRefused(Buffer.from(bytes))))
  const change = fc.tuple(fc.nat(whole.length - 1), fc.constantFrom(...Buffer.from('<>&"\'/=! \0ax:')))
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      const spoilt = Buffer.from(whole)
      for (const [at, byte] of changes) spoilt[at] = byte
      readOrRefused(spoilt)
    }),
    { numRuns: 500 },
  )
})
