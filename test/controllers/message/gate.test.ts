import { expect, test } from 'vitest'
import { Gate } from '../../../src/controllers/message/gate.ts'

/** Work that goes on until the test ends it. */
function longWork() {
  let finish = () => {}
  const promise = new Promise<void>((resolve) => {
    finish = resolve
  })
  const work = {
    began: false,
    finish,
    run: async () => {
      work.began = true
      await promise
      return 'done'
    },
  }
  return work
}

test('so many at once, the others in the order of their coming', async () => {
  const gate = new Gate(2)
  const works = [longWork(), longWork(), longWork(), longWork()]
  const results = works.map(({ run }) => gate.enter(run))
  expect(works.map(({ began }) => began)).toEqual([true, true, false, false])
  works[1]?.finish()
  await results[1]
  await Promise.resolve()
  expect(works.map(({ began }) => began)).toEqual([true, true, true, false])
  for (const { finish } of works) finish()
  expect(await Promise.all(results)).toEqual(['done', 'done', 'done', 'done'])
})

test('work that fails leaves its place', async () => {
  const gate = new Gate(1)
  await expect(gate.enter(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await gate.enter(async () => 'next')).toBe('next')
})

test('who waits when it closes is turned away, and so is who comes later', async () => {
  const gate = new Gate(1)
  const first = longWork()
  const [running, waiting] = [gate.enter(first.run), gate.enter(async () => 'late')]
  gate.close()
  expect(await waiting).toBeUndefined()
  expect(await gate.enter(async () => 'later')).toBeUndefined()
  first.finish()
  expect(await running).toBe('done')
})
