import { expect, test } from 'vitest'
import { LineSplitter } from '../../../src/protocols/lines/line-splitter.ts'

const text = 'one\n\ntwo\r\n0123456789\n01234567890\nthree'
const lines = ['one', '', 'two\r', '0123456789', undefined, 'three']

test.each([1, 2, 3, 5, 7, text.length])('lines are the same however they are cut: by %i bytes', (size) => {
  const splitter = new LineSplitter(10)
  const found: (string | undefined)[] = []
  for (let at = 0; at < text.length; at += size) {
    for (const line of splitter.read(Buffer.from(text.slice(at, at + size)))) found.push(line?.toString())
  }
  for (const line of splitter.end()) found.push(line?.toString())
  expect(found).toEqual(lines)
})

test('the end of the last line is no line of its own', () => {
  const splitter = new LineSplitter(10)
  expect([...splitter.read(Buffer.from('one\n')), ...splitter.end()].map(String)).toEqual(['one'])
})
