import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { type Mailboxes, rootId, type StoredObject } from '../../src/enablers/message-store/index.ts'
import { Failure } from '../../src/failure.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { anObject, mailboxesOn, nobody } from '../support/mailbox.ts'
import { Mirror, stateOf } from '../support/mirror.ts'

const db: TestDatabase = await testDatabase()
const boxes = mailboxesOn(db)
afterAll(async () => {
  boxes.close()
  await db.close()
})
let lastOwner = 0
const newOwner = () => ++lastOwner
const never = new AbortController().signal

/** What can be done with a mailbox. Numbers choose among what there is. */
type Step =
  | { readonly do: 'create'; readonly folder: number; readonly count: number }
  | { readonly do: 'flag'; readonly objects: readonly number[]; readonly flag: string; readonly add: boolean }
  | { readonly do: 'edit' | 'again'; readonly object: number }
  | { readonly do: 'remove' | 'expire'; readonly objects: readonly number[] }
  | {
      readonly do: 'move' | 'copy'
      readonly objects: readonly number[]
      readonly folders: readonly number[]
      readonly to: number
    }
  | { readonly do: 'rename' | 'removeFolder' | 'createFolder'; readonly folder: number; readonly name: string }
  | { readonly do: 'reset' | 'forget' | 'sync' }

const number = fc.nat(1000)
const some = fc.array(number, { maxLength: 4 })
const name = fc.constantFrom('a', 'b', 'c', 'tel:+1555')
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('create' as const), folder: number, count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('flag' as const),
      objects: some,
      flag: fc.constantFrom('\\Seen', 'x'),
      add: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constantFrom('edit' as const, 'again' as const), object: number }),
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'expire' as const), objects: some }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('move' as const, 'copy' as const),
      objects: some,
      folders: fc.array(number, { maxLength: 2 }),
      to: number,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('rename' as const, 'removeFolder' as const, 'createFolder' as const),
      folder: number,
      name,
    }),
  },
  fc.record({ do: fc.constantFrom('reset' as const, 'forget' as const) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('sync' as const) }) },
)

/** Ids that there are, and some that there were. */
class Known {
  readonly objects: string[] = []
  readonly folders: string[] = []
  object = (at: number): string => this.objects[at % Math.max(this.objects.length, 1)] ?? 'none'
  folder = (at: number): string => this.folders[at % Math.max(this.folders.length, 1)] ?? 'none'
}

async function take(boxes: Mailboxes, owner: number, one: Step, known: Known): Promise<void> {
  switch (one.do) {
    case 'create': {
      const folder = known.folder(one.folder)
      const made = await boxes.createMany(
        owner,
        Array.from({ length: one.count }, () => anObject({ folder })),
      )
      for (const object of made) if (!(object instanceof Failure)) known.objects.push(object.id)
      return
    }
    case 'flag': {
      const change = one.add ? { add: [one.flag] } : { remove: [one.flag] }
      await boxes.change(owner, one.objects.map(known.object), change)
      return
    }
    case 'edit':
      await boxes.update(owner, known.object(one.object), { attributes: { Edited: [String(Math.random())] } })
      return
    case 'again':
      if (known.objects.length > 0) await boxes.create(owner, anObject({ id: known.object(one.object) }))
      return
    case 'remove':
    case 'expire':
      await boxes.remove(owner, one.objects.map(known.object), one.do === 'expire')
      return
    case 'move':
    case 'copy': {
      const chosen = { objects: one.objects.map(known.object), folders: one.folders.map(known.folder) }
      for (const { kind, to } of await boxes[one.do](owner, chosen, known.folder(one.to))) {
        if (one.do === 'copy') (kind === 'object' ? known.objects : known.folders).push(to)
      }
      return
    }
    case 'createFolder':
      known.folders.push((await boxes.createFolder(owner, known.folder(one.folder), one.name)).id)
      return
    case 'rename':
      await boxes.renameFolder(owner, known.folder(one.folder), one.name)
      return
    case 'removeFolder':
      await boxes.removeFolder(owner, known.folder(one.folder))
      return
    case 'reset':
      await boxes.reset(owner)
      return
    case 'forget': {
      const later = mailboxesOn(db, { tombstoneDays: 1, now: () => Date.now() + 3 * 86_400_000 })
      await later.sweep(nobody(), never)
      later.close()
    }
  }
}

const refusals = ['object-unknown', 'folder-unknown', 'not-permitted', 'conflict', 'malformed']

/** What is refused changes nothing; the mirror shows that. */
async function taken(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (err) {
    if (!(err instanceof Failure) || !refusals.includes(err.condition)) throw err
  }
}

const countOf = (objects: readonly StoredObject[]) => ({
  objects: objects.length,
  unread: objects.filter(({ flags }) => !flags.includes('\\Seen')).length,
  bytes: objects.reduce((sum, { size }) => sum + size, 0),
})

test('whatever is done to a mailbox, a client that reads changes has exactly what the server has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      async (steps, limit) => {
        const owner = newOwner()
        const known = new Known()
        known.folders.push((await boxes.root(owner)).id)
        const [steady, lazy] = [new Mirror(boxes, owner, limit), new Mirror(boxes, owner, 3)]
        for (const one of steps) {
          if (one.do === 'sync') await lazy.step()
          else await taken(take(boxes, owner, one, known))
          await steady.step()
        }
        const state = await stateOf(boxes, owner)
        for (const mirror of [steady, lazy]) {
          await mirror.sync()
          expect(mirror.folders).toEqual(state.folders)
          expect(mirror.objects).toEqual(state.objects)
        }
        const { objects, bytes } = await boxes.state(owner)
        const sizes = [...state.objects.values()].map(({ size }) => size)
        expect([objects, bytes]).toEqual([sizes.length, sizes.reduce((sum, size) => sum + size, 0)])
        for (const id of state.folders.keys()) {
          const within = [...state.objects.values()].filter(({ folder }) => folder === id)
          expect(await boxes.folderSizes(owner, id, false)).toEqual(countOf(within))
        }
        expect(await boxes.folderSizes(owner, rootId, true)).toEqual(countOf([...state.objects.values()]))
      },
    ),
    { numRuns: 40 },
  )
}, 120_000)

test('many who change a mailbox at once and two who read along: nobody waits for ever, and nothing is missed', async () => {
  const owner = newOwner()
  const known = new Known()
  known.folders.push((await boxes.root(owner)).id)
  for (const name of ['a', 'b', 'c']) known.folders.push((await boxes.folderAt(owner, [name])).id)
  let working = true
  const [one, two] = [new Mirror(boxes, owner, 5), new Mirror(boxes, owner, 50)]
  const read = async (mirror: Mirror) => {
    while (working) await mirror.step()
  }
  const readers = [read(one), read(two)]
  const workers = Array.from({ length: 8 }, async (_, seed) => {
    for (const each of fc.sample(step, { numRuns: 30, seed: seed + 1 })) {
      if (each.do !== 'sync' && each.do !== 'forget') await taken(take(boxes, owner, each, known))
    }
  })
  await Promise.all(workers)
  working = false
  await Promise.all(readers)
  const state = await stateOf(boxes, owner)
  for (const mirror of [one, two]) {
    await mirror.sync()
    expect(mirror.folders).toEqual(state.folders)
    expect(mirror.objects).toEqual(state.objects)
  }
}, 60_000)

test('copies and changes over many mailboxes at once end without a deadlock', async () => {
  const owners = Array.from({ length: 4 }, newOwner)
  const made = await Promise.all(
    owners.map((owner) =>
      boxes.createMany(
        owner,
        Array.from({ length: 20 }, () => anObject()),
      ),
    ),
  )
  const ids = made.map((all) => all.map((one) => (one as { id: string }).id))
  const work = Array.from({ length: 80 }, async (_, n) => {
    const at = n % owners.length
    const owner = owners[at] as number
    const chosen = (ids[at] as string[]).filter((_, index) => (index + n) % 3 === 0)
    if (n % 3 === 0) await boxes.change(owner, chosen, { add: [`f${n % 5}`] })
    else if (n % 3 === 1) await boxes.change(owner, chosen.toReversed(), { remove: [`f${n % 5}`] })
    else await boxes.copy(owner, { objects: chosen.slice(0, 2) }, (await boxes.root(owner)).id)
  })
  await Promise.all(work)
  for (const owner of owners) {
    const { objects } = await boxes.state(owner)
    expect((await stateOf(boxes, owner)).objects.size).toBe(objects)
  }
})
