import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedEvent } from '../../../src/protocols/cpm-event-framework/malformed-event.ts'
import { readStoreEvents } from '../../../src/protocols/cpm-event-framework/read-store-events.ts'
import type { StoreEvent } from '../../../src/protocols/cpm-event-framework/store-events.ts'
import { writeStoreEvents } from '../../../src/protocols/cpm-event-framework/write-store-events.ts'

/** As deployed clients write it: by folder and uid, or by conversation and other party. */
const example = `<?xml version="1.0" encoding="UTF-8"?><cpm-evfw xmlns="urn:oma:xml:cpm:evfw"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><event-cpm-imap type="flags" index="0">
  <operation name="add" flag="\\Seen"><object uid="7" folder-path="Default/tel:+15550001/"><message-id>m1</message-id></object>
  <object><conversation-id>c1</conversation-id><contribution-id>c2</contribution-id><other-party>tel:+15550002</other-party>
  <message-id>m&amp;2</message-id></object></operation>
  <operation name="add" flag="\\Deleted"><object><message-id>m3</message-id></object></operation></event-cpm-imap></cpm-evfw>`

const events: readonly StoreEvent[] = [
  {
    type: 'flags',
    operations: [
      {
        name: 'add',
        flag: '\\Seen',
        objects: [
          { folderPath: 'Default/tel:+15550001/', uid: '7', messageId: 'm1' },
          { conversationId: 'c1', contributionId: 'c2', otherParty: 'tel:+15550002', messageId: 'm&2' },
        ],
      },
      { name: 'add', flag: '\\Deleted', objects: [{ messageId: 'm3' }] },
    ],
  },
]

const bytesOf = (text: string) => Buffer.from(text)

test('what clients write is read', () => {
  expect(readStoreEvents(bytesOf(example))).toEqual(events)
})

test('what is written is read back, whatever names hold', () => {
  const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).map((one) => one.trim() || 'x')
  const object = fc.record({ messageId: text, otherParty: text, folderPath: text.map((one) => one.replace(/\s/g, '')) })
  const readable = object.filter(({ folderPath }) => folderPath !== '')
  fc.assert(
    fc.property(fc.array(readable, { maxLength: 5 }), (objects) => {
      const all: readonly StoreEvent[] = [
        { type: 'objects', objects },
        { type: 'flags', operations: [{ name: 'remove', flag: '\\Flagged', objects }] },
        { type: 'synchronize' },
      ]
      expect(readStoreEvents(writeStoreEvents(all))).toEqual(all)
    }),
  )
  expect(readStoreEvents(writeStoreEvents(events))).toEqual(events)
})

test('an event of a type that is not known is passed over', () => {
  const later = example.replace('<event-cpm-imap', '<event-cpm-imap type="quota" index="9"/><event-cpm-imap')
  expect(readStoreEvents(bytesOf(later))).toEqual(events)
})

const flags = (inside: string) =>
  `<cpm-evfw xmlns="urn:oma:xml:cpm:evfw"><event-cpm-imap type="flags">${inside}</event-cpm-imap></cpm-evfw>`

test.each([
  ['', 'nothing'],
  ['<cpm-evfw/>', 'another namespace'],
  [example.slice(0, -5), 'cut off'],
  [`<!DOCTYPE x [<!ENTITY e "m1">]>${example}`, 'a DOCTYPE'],
  [flags('<operation name="burn" flag="\\Seen"/>'), 'an operation that nobody knows'],
  [flags('<operation name="add"/>'), 'no flag'],
  [flags('<operation name="add" flag="\\S een"/>'), 'a flag with a space'],
  [flags(`<operation name="add" flag="${'x'.repeat(65)}"/>`), 'a flag that is too long'],
  [flags(`<operation name="add" flag="a"><object uid="${'1'.repeat(1025)}"/></operation>`), 'a name that is too long'],
  [flags(`<operation name="add" flag="a">${'<object/>'.repeat(501)}</operation>`), 'too many objects'],
  [flags('<operation name="add" flag="a"></object></operation>'), 'end tags that do not fit'],
  [example.replace('type="flags"', ''), 'an event without type'],
  [`${'<a>'.repeat(9)}`, 'too deep'],
  [example + ' '.repeat(262_144), 'too large'],
])('%# is refused: %s', (text) => {
  expect(() => readStoreEvents(bytesOf(text))).toThrow(MalformedEvent)
})

test('whatever bytes come, they are read or refused', () => {
  const read = (bytes: Buffer) => {
    try {
      readStoreEvents(bytes)
    } catch (err) {
      expect(err).toBeInstanceOf(MalformedEvent)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => read(Buffer.from(bytes))))
  const spoilt = fc.tuple(fc.nat(example.length - 1), fc.string({ maxLength: 8 }))
  fc.assert(fc.property(spoilt, ([at, text]) => read(bytesOf(example.slice(0, at) + text + example.slice(at + 3)))))
})
