import fc from 'fast-check'
import { expect, test } from 'vitest'
import { documentsOf, type News } from '../../../src/enablers/message-store/devices/events-of.ts'
import { flagsKey, ToldFlags } from '../../../src/enablers/message-store/devices/told-flags.ts'
import type { StoredObject } from '../../../src/enablers/message-store/index.ts'
import { readStoreEvents } from '../../../src/protocols/cpm-event-framework/read-store-events.ts'

const object = (id: string, flags: readonly string[] = [], direction: 'in' | 'out' = 'in'): StoredObject => ({
  ...{ owner: 1, id, folder: 'f', kind: 'message', modseq: 9, created: 3, date: 0, direction, peer: 'tel:+15550001' },
  ...{ flags, attributes: {}, size: 0, parts: [], disposition: 0, correlationId: `m-${id}` },
})
const paths = new Map([['f', 'Default/tel:+15550001']])

const namesIn = (documents: readonly Buffer[]) =>
  documents
    .flatMap((document) => readStoreEvents(document))
    .flatMap((event) => {
      if (event.type === 'objects') return event.objects
      return event.type === 'flags' ? event.operations.flatMap(({ objects }) => objects) : []
    })
    .map(({ messageId }) => messageId)

test('what a device is told says where the object is, what it has and what it has not', () => {
  const news: News = { created: [], flagged: [object('a', ['\\Seen'])], removed: [{ id: 'b', parent: 'f' }], paths }
  const [document = Buffer.alloc(0)] = documentsOf(news, 10_000, 1) ?? []
  const a = { folderPath: 'Default/tel:+15550001/', otherParty: 'tel:+15550001', messageId: 'm-a' }
  expect(readStoreEvents(document)).toEqual([
    {
      type: 'flags',
      operations: [
        { name: 'add', flag: '\\Seen', objects: [a] },
        { name: 'remove', flag: '\\Flagged', objects: [a] },
        { name: 'add', flag: '\\Deleted', objects: [{ folderPath: 'Default/tel:+15550001/', messageId: 'b' }] },
      ],
    },
  ])
})

test('that one has seen what one has sent goes without saying', () => {
  const created = [object('a', ['\\Seen'], 'out'), object('b', ['\\Seen'], 'in')]
  const [document = Buffer.alloc(0)] = documentsOf({ created, flagged: [], removed: [], paths }, 10_000, 1) ?? []
  expect(readStoreEvents(document).map(({ type }) => type)).toEqual(['objects', 'flags'])
  expect(namesIn([document])).toEqual(['m-a', 'm-b', 'm-b'])
})

test('what does not fit into one document comes in several, nothing of it lost and none too large', () => {
  const few = fc.nat({ max: 12 })
  fc.assert(
    fc.property(few, few, few, fc.integer({ min: 500, max: 4000 }), (c, f, r, room) => {
      const many = (length: number, name: string) => Array.from({ length }, (_, at) => object(`${name}${at}`))
      const removed = many(r, 'r').map(({ id }) => ({ id }))
      const news = { created: many(c, 'c'), flagged: many(f, 'f'), removed, paths }
      const documents = documentsOf(news, room, 64)
      if (c + f + r === 0) return
      expect(documents?.every(({ length }) => length <= room)).toBe(true)
      const wanted = [...news.created, ...news.flagged].map(({ id }) => `m-${id}`).concat(removed.map(({ id }) => id))
      expect(new Set(namesIn(documents ?? []))).toEqual(new Set(wanted))
    }),
  )
})

test('more than may be sent at once is no document at all', () => {
  const created = Array.from({ length: 100 }, (_, at) => object(`${at}`))
  expect(documentsOf({ created, flagged: [], removed: [], paths }, 1300, 4)).toBeUndefined()
})

test('what devices were told is remembered by object and device, and forgotten in time', () => {
  const told = new ToldFlags(10)
  const known = { owner: 1, device: 'd', id: '00000000-0000-4000-8000-000000000001' }
  told.set(known, flagsKey(['\\Seen', '$Edited']))
  expect(told.has({ ...known, id: known.id.replaceAll('-', '') }, flagsKey(['$edited', '\\SEEN']))).toBe(true)
  expect(told.has({ ...known, device: 'e' }, flagsKey(['\\Seen', '$Edited']))).toBe(false)
  expect(told.has(known, flagsKey([]))).toBe(false)
  for (let at = 0; at < 30; at++) told.set({ ...known, id: String(at) }, '')
  expect(told.has(known, flagsKey(['\\Seen', '$Edited']))).toBe(false)
  expect(told.size).toBeLessThanOrEqual(20)
})
