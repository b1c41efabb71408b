import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nmsLimits } from '../../../src/protocols/nms/check-structure.ts'
import { MalformedNms } from '../../../src/protocols/nms/malformed-nms.ts'
import { readNms } from '../../../src/protocols/nms/read-nms.ts'
import { choices, enumerations, type RootName, roots, structures } from '../../../src/protocols/nms/structures.ts'
import { type NmsFormat, writeNms } from '../../../src/protocols/nms/write-nms.ts'

const formats = ['json', 'xml'] as const
const nms = (root: string, content: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<x:${root} xmlns:x="urn:oma:xml:rest:netapi:nms:1">${content}</x:${root}>`

const whereOf = (format: NmsFormat, root: RootName, body: string | Buffer, limits = nmsLimits): string => {
  try {
    readNms(format, root, Buffer.from(body as string), limits)
  } catch (err) {
    if (err instanceof MalformedNms) return err.where
    throw err
  }
  return 'nothing'
}

/** Any value of a type; what is between markup in XML cannot be everything that is in JSON. */
const text = fc
  .string({ unit: 'grapheme-composite', maxLength: 12 })
  .map((one) => one.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '?'))
const simple: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: text,
  anyURI: fc.webUrl(),
  unsignedLong: fc.maxSafeNat(),
  unsignedInt: fc.nat(4_294_967_295),
  unsignedShort: fc.nat(65_535),
  boolean: fc.boolean(),
}

function anyOf(type: string): fc.Arbitrary<unknown> {
  if (type in simple) return simple[type] as fc.Arbitrary<unknown>
  if (type in enumerations) return fc.constantFrom(...enumerations[type as keyof typeof enumerations])
  const name = type as keyof typeof structures
  const fields = Object.entries(structures[name]).map(([field, [occurs, of]]) => [field, occurs, of] as const)
  const choice = choices[name]
  return (choice === undefined ? fc.constant('') : fc.constantFrom(...choice.of)).chain((chosen) =>
    fc.record(
      Object.fromEntries(
        fields
          .filter(([field]) => field === chosen || choice?.of.includes(field) !== true)
          .map(([field, occurs, of]) => {
            const one = fc.memo(() => anyOf(of))(1)
            return [field, occurs === '*' || occurs === '+' ? fc.array(one, { minLength: 1, maxLength: 3 }) : one]
          }),
      ),
      {
        requiredKeys: fields
          .filter(([field, occurs]) => field === chosen || (occurs !== '?' && occurs !== '*'))
          .map(([field]) => field)
          .filter((field) => field === chosen || choice?.of.includes(field) !== true),
      },
    ),
  )
}

describe.each(formats)('in %s', (format) => {
  test.each(Object.keys(roots) as RootName[])('%s comes back as it was written', (root) => {
    fc.assert(
      fc.property(anyOf(roots[root]), (value) => {
        const written = writeNms(format, root, value as never)
        expect(readNms(format, root, Buffer.from(written))).toEqual(value)
      }),
      { numRuns: 40 },
    )
  })

  test('a body that is cut anywhere is refused', () => {
    const value = {
      attributes: { attribute: [{ name: 'Subject', value: ['tea & cake'] }] },
      flags: { flag: ['\\Seen'] },
    }
    const whole = Buffer.from(writeNms(format, 'object', value))
    for (let at = 0; at < whole.length; at++) {
      expect(() => readNms(format, 'object', whole.subarray(0, at)), `cut at ${at}`).toThrow(MalformedNms)
    }
    expect(readNms(format, 'object', whole)).toEqual(value)
  })

  test('any bytes are read, or refused', () => {
    const pieces = fc.constantFrom(
      '{"object":',
      '<x:object xmlns:x="urn:oma:xml:rest:netapi:nms:1">',
      '"flag"',
      '[',
      '<',
      '&',
      '"',
    )
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((some) => Buffer.from(some)),
      fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }).map((some) => Buffer.from(some.join(''))),
    )
    fc.assert(
      fc.property(bytes, fc.constantFrom(...(Object.keys(roots) as RootName[])), (body, root) => {
        try {
          readNms(format, root, body)
        } catch (err) {
          expect(err).toBeInstanceOf(MalformedNms)
        }
      }),
    )
  })

  test('a text that is not UTF-8 is refused', () => {
    const whole = Buffer.from(writeNms(format, 'name', 'Zürich'))
    expect(whereOf(format, 'name', Buffer.from(whole.toString(), 'latin1'))).toBe(format === 'json' ? 'body' : 'name')
  })

  test('more bytes or values than there may be are refused', () => {
    const value = { attributes: {}, flags: { flag: Array.from({ length: 50 }, (_, at) => `flag-${at}`) } }
    const whole = writeNms(format, 'object', value)
    expect(readNms(format, 'object', Buffer.from(whole))).toEqual(value)
    expect(whereOf(format, 'object', whole, { ...nmsLimits, bytes: 100 })).not.toBe('nothing')
    expect(whereOf(format, 'object', whole, { ...nmsLimits, values: 40 })).not.toBe('nothing')
  })

  test('a mistake is told with its place', () => {
    const bad = { attributes: {}, flags: {}, parentFolder: '/a', parentFolderPath: '/b' }
    expect(whereOf(format, 'object', writeNms(format, 'object', bad))).toBe('object.parentFolderPath')
    const twice = { response: [{ code: 200, reason: 'OK' }] }
    expect(whereOf(format, 'bulkResponseList', writeNms(format, 'bulkResponseList', twice))).toBe(
      'bulkResponseList.response[0]',
    )
  })
})

describe('JSON', () => {
  test.each([
    ['{}', 'object'],
    ['[]', 'object'],
    ['null', 'object'],
    ['{"object":{},"folder":{}}', 'object'],
    ['{"object":{"attributes":{},"flags":{"flag":"\\\\Seen"}}}', 'object.flags.flag'],
    ['{"object":{"attributes":{},"flags":{"flag":["a",7]}}}', 'object.flags.flag[1]'],
    ['{"object":{"attributes":{},"flags":{},"colour":1}}', 'object.colour'],
    ['{"object":{"attributes":{},"flags":{},"__proto__":{}}}', 'object.__proto__'],
    ['{"object":{"flags":{}}}', 'object.attributes'],
    ['{"object":{"attributes":{"attribute":[{"value":[]}]},"flags":{}}}', 'object.attributes.attribute[0].name'],
    ['{"object":{"attributes":{},"flags":{},"lastModSeq":-1}}', 'object.lastModSeq'],
    ['{"object":{"attributes":{},"flags":{},"lastModSeq":1.5}}', 'object.lastModSeq'],
    ['{"object":{"attributes":{},"flags":{},"lastModSeq":1e30}}', 'object.lastModSeq'],
    ['{"object":{"attributes":{},"flags":{},"path":"a\\u0000b"}}', 'object.path'],
    ['{"object":{"attributes":{},"flags":{},"path":"\\ud800"}}', 'object.path'],
  ])('%s is wrong at %s', (body, where) => {
    expect(whereOf('json', 'object', body)).toBe(where)
  })

  test('what is nested a thousand deep is refused before it is parsed', () => {
    expect(whereOf('json', 'object', `{"object":${'['.repeat(1000)}${']'.repeat(1000)}}`)).toBe('body')
    expect(whereOf('json', 'object', `{"object":${'{"a":'.repeat(1000)}1${'}'.repeat(1001)}`)).toBe('body')
    expect(whereOf('json', 'name', `{"name":"${'['.repeat(1000)}\\""}`)).toBe('nothing')
  })

  test('numbers may stand in quotes', () => {
    const body = '{"selectionCriteria":{"maxEntries":"3"}}'
    expect(readNms('json', 'selectionCriteria', Buffer.from(body))).toEqual({ maxEntries: 3 })
  })

  test('nothing is written as null, and read so too', () => {
    expect(writeNms('json', 'empty', {})).toBe('{"empty":null}')
    expect(readNms('json', 'empty', Buffer.from('{"empty":null}'))).toEqual({})
  })
})

describe('XML', () => {
  const object = (content: string) => nms('object', content)
  test.each([
    ['<object/>', 'object'],
    ['<object xmlns="urn:oma:xml:rest:netapi:nms:1"><attributes/><flags/></object>', 'object.attributes'],
    [nms('folder', '<attributes/>'), 'object'],
    [object('<flags/><attributes/>'), 'object.attributes'],
    [object('<attributes/><attributes/><flags/>'), 'object.attributes'],
    [object('<attributes/>'), 'object.flags'],
    [object('<attributes/><flags/>text'), 'object'],
    [object('<attributes/><flags/><colour/>'), 'object.colour'],
    [object('<attributes/><flags><flag><b/></flag></flags>'), 'object.flags.flag[0].b'],
    [object('<attributes a="1"/><flags/>'), 'object.attributes.a'],
    [object('<attributes/><flags/><lastModSeq>many</lastModSeq>'), 'object.lastModSeq'],
    [object('<attributes/><flags/><path>&#0;</path>'), 'object'],
    [object('<attributes/><flags/><path>&other;</path>'), 'object'],
    [`<!DOCTYPE object [<!ENTITY a "aaaa">]>${object('<attributes/><flags/>').slice(39)}`, 'object'],
    [object('<attributes/><flags/>').replace('UTF-8', 'UTF-16'), 'object'],
    [object('<a>'.repeat(1000) + '</a>'.repeat(1000)), 'object'],
    [`${object('<attributes/><flags/>')}<more/>`, 'object'],
  ])('%s is wrong at %s', (body, where) => {
    expect(whereOf('xml', 'object', body)).toBe(where)
  })

  test('white space, comments and another prefix change nothing', () => {
    const body = object(
      '\n <!-- a -->\n <attributes> </attributes>\n <flags>\n<flag><![CDATA[a<b]]></flag></flags><?pi?>\n',
    )
    expect(readNms('xml', 'object', Buffer.from(body))).toEqual({ attributes: {}, flags: { flag: ['a<b'] } })
  })

  test('line ends are one character, unless they were written as more', () => {
    expect(readNms('xml', 'name', Buffer.from(nms('name', 'a\r\nb\rc&#13;\nd')))).toBe('a\nb\nc\r\nd')
    expect(readNms('xml', 'name', Buffer.from(writeNms('xml', 'name', 'a\r\nb')))).toBe('a\r\nb')
  })

  test('a character that XML has not is written as one that cannot be read', () => {
    expect(readNms('xml', 'name', Buffer.from(writeNms('xml', 'name', 'a\u0007b\ud800')))).toBe('a\ufffdb\ufffd')
  })

  test('a link is an element with attributes', () => {
    const fault = {
      link: [{ rel: 'folder', href: 'http://a/?b&c="d"' }],
      policyException: { messageId: 'POL1030', text: 'no' },
    }
    const written = writeNms('xml', 'requestError', fault)
    expect(written).toContain('<link rel="folder" href="http://a/?b&amp;c=&quot;d&quot;"/>')
    expect(written).toContain('<common:requestError xmlns:common="urn:oma:xml:rest:netapi:common:1">')
    expect(readNms('xml', 'requestError', Buffer.from(written))).toEqual(fault)
  })
})
