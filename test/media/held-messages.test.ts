import { afterEach, expect, test } from 'vitest'
import { type Keeper, relay } from '../../src/media/msrp/index.ts'
import { eventually } from '../support/eventually.ts'
import { nothingOpen, Rig } from './msrp-rig.ts'

afterEach(nothingOpen)

/** Keeps what comes when the test says so. */
class SlowKeeper implements Keeper {
  readonly ends: ((status: number) => void)[] = []
  bytes = 0
  begin(): number {
    return 200
  }
  piece(bytes: Buffer): void {
    this.bytes += bytes.length
  }
  end(): Promise<number> {
    return new Promise((resolve) => this.ends.push(resolve))
  }
  cut(): void {}
}

async function heldPair(rig: Rig, keeperFor: () => Keeper | undefined) {
  const [a, b] = [await rig.joined(), await rig.joined()]
  relay(a.session, b.session, undefined, (from) => (from === a.session ? keeperFor() : undefined))
  const arrived: string[] = []
  b.client.onFrame = (frame) => {
    if (frame.what === 'SEND') {
      arrived.push(`${frame.fields['message-id']}${frame.flag}`)
      b.client.respond(frame)
    }
    return true
  }
  return { a, b, arrived }
}

test('a short message does not pass before it is kept, and never where it cannot be; the order stays', async () => {
  await using rig = await Rig.start()
  const keeper = new SlowKeeper()
  const { a, arrived } = await heldPair(rig, () => keeper)
  for (const id of ['one', 'two', 'three']) a.client.send({ to: a.session.path, messageId: id, body: id })
  await eventually(() => expect(keeper.ends).toHaveLength(3))
  keeper.ends[2]?.(200)
  keeper.ends[1]?.(413)
  await new Promise((resolve) => setImmediate(resolve))
  expect(arrived).toEqual([])
  keeper.ends[0]?.(200)
  const answers = [(await a.client.receive()).what, (await a.client.receive()).what, (await a.client.receive()).what]
  expect(answers.map((what) => what.slice(0, 3)).sort()).toEqual(['200', '200', '413'])
  expect(arrived).toEqual(['one$', 'three$'])
})

test('of a long message that cannot be kept the end does not pass: the other side hears that it was given up', async () => {
  await using rig = await Rig.start()
  const keeper = new SlowKeeper()
  const { a, arrived } = await heldPair(rig, () => keeper)
  a.client.send({ to: a.session.path, messageId: 'long', body: 'x'.repeat(300_000) })
  await eventually(() => expect(keeper.ends).toHaveLength(1))
  keeper.ends[0]?.(413)
  expect((await a.client.receive()).what).toMatch(/^413/)
  await eventually(() => expect(arrived.at(-1)).toBe('long#'))
})

test('a sender is not read any more while too much waits to be kept', async () => {
  await using rig = await Rig.start()
  const keeper = new SlowKeeper()
  const { a, arrived } = await heldPair(rig, () => keeper)
  const all = 2_000
  for (let at = 0; at < all; at++) a.client.send({ to: a.session.path, messageId: `m${at}`, body: 'text' })
  let most = 0
  for (let at = 0; at < all; at++) {
    await eventually(() => expect(keeper.ends.length).toBeGreaterThan(at))
    most = Math.max(most, keeper.ends.length - at)
    keeper.ends[at]?.(200)
  }
  await eventually(() => expect(arrived).toHaveLength(all))
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThan(300)
  expect(arrived.slice(0, 3)).toEqual(['m0$', 'm1$', 'm2$'])
})

test('a message that began while nothing was kept goes on as it began, and the next one is kept', async () => {
  await using rig = await Rig.start()
  const keeper = new SlowKeeper()
  let keeping = false
  const { a, arrived } = await heldPair(rig, () => (keeping ? keeper : undefined))
  a.client.send({ to: a.session.path, messageId: 'old', body: 'half', range: '1-4/8', flag: '+' })
  await eventually(() => expect(arrived).toEqual(['old+']))
  keeping = true
  a.client.send({ to: a.session.path, messageId: 'old', body: 'rest', range: '5-8/8' })
  await eventually(() => expect(arrived).toEqual(['old+', 'old$']))
  expect(keeper.ends).toEqual([])
  a.client.send({ to: a.session.path, messageId: 'new', body: 'kept' })
  await eventually(() => expect(keeper.ends).toHaveLength(1))
  keeper.ends[0]?.(200)
  await eventually(() => expect(arrived.at(-1)).toBe('new$'))
})

test('when the sender goes while a message waits, nothing is left', async () => {
  await using rig = await Rig.start({ returnMs: 50 })
  const keeper = new SlowKeeper()
  const { a, b, arrived } = await heldPair(rig, () => keeper)
  a.client.send({ to: a.session.path, messageId: 'late', body: 'late' })
  await eventually(() => expect(keeper.ends).toHaveLength(1))
  await a.client.close()
  await eventually(() => expect(a.session.closed).toBe(true))
  keeper.ends[0]?.(200)
  b.session.close()
  expect(arrived).toEqual([])
})
