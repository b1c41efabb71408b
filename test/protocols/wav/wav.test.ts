import { expect, test } from 'vitest'
import { samplesOf } from '../../../src/protocols/wav/g711.ts'
import { wavHeadBytes, writeWavHead } from '../../../src/protocols/wav/wav-head.ts'

test('codes of G.711 are the samples of ITU-T G.191: silence, the ends of the scale, and both signs', () => {
  const mu = samplesOf('PCMU')
  expect([mu[0xff], mu[0x7f], mu[0x80], mu[0x00], mu[0xf0], mu[0x70]]).toEqual([0, 0, 32124, -32124, 120, -120])
  const a = samplesOf('PCMA')
  expect([a[0xd5], a[0x55], a[0xaa], a[0x2a], a[0x80], a[0x00]]).toEqual([8, -8, 32256, -32256, 5504, -5504])
})

test('every code of either law has a sample of its own, but for the two zeros of the μ-law', () => {
  expect(new Set(samplesOf('PCMU')).size).toBe(255)
  expect(new Set(samplesOf('PCMA')).size).toBe(256)
})

test('the head of a WAV tells of its samples', () => {
  const head = writeWavHead({ channels: 2, rate: 8000 }, 32_000)
  expect(head.length).toBe(wavHeadBytes)
  expect(head.toString('latin1', 0, 4)).toBe('RIFF')
  expect(head.toString('latin1', 8, 16)).toBe('WAVEfmt ')
  expect([head.readUInt32LE(4), head.readUInt16LE(20), head.readUInt16LE(22)]).toEqual([32_036, 1, 2])
  expect([head.readUInt32LE(24), head.readUInt32LE(28), head.readUInt16LE(32)]).toEqual([8000, 32_000, 4])
  expect([head.readUInt16LE(34), head.toString('latin1', 36, 40), head.readUInt32LE(40)]).toEqual([16, 'data', 32_000])
})
