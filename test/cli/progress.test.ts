import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Progress } from '../../src/operations/cli/progress.ts'

/** What a terminal was sent. */
function terminal() {
  const stream = new PassThrough({ encoding: 'utf8' })
  return { stream, shown: (): string => (stream.read() as string | null) ?? '' }
}

test('a bar grows on a terminal, at most ten times a second, and its line is empty at the end', () => {
  const { stream, shown } = terminal()
  let now = 1_000
  const progress = new Progress(stream, 200, 'objects', () => now)
  progress.advance(50)
  expect(shown()).toBe(`\r[${'#'.repeat(6)}${' '.repeat(18)}] 25 % of 200 objects`)
  now += 99
  progress.advance(50)
  expect(shown()).toBe('')
  now += 1
  progress.advance(100)
  expect(shown()).toBe(`\r[${'#'.repeat(24)}] 100 % of 200 objects`)
  progress.end()
  expect(shown()).toBe('\r\x1b[K')
})

test('where nobody watches nothing is drawn, nor is a line emptied that was not drawn', () => {
  new Progress(undefined, 10, 'objects').advance(10)
  const { stream, shown } = terminal()
  new Progress(stream, 10, 'objects').end()
  expect(shown()).toBe('')
})

test('more than was expected is no more than all', () => {
  const { stream, shown } = terminal()
  new Progress(stream, 0, 'objects').advance(3)
  expect(shown()).toContain('] 100 % of 0 objects')
})
