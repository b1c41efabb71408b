import { describe, expect, test } from 'vitest'
import {
  readFileInfo,
  readResumeInfo,
  writeFileInfo,
  writeResumeInfo,
} from '../../../src/protocols/rcs-file/file-info.ts'
import { MalformedRcsFile } from '../../../src/protocols/rcs-file/malformed-rcs-file.ts'

const until = Date.UTC(2030, 0, 2, 3, 4, 5)
const thumbnail = {
  type: 'thumbnail',
  size: 900,
  contentType: 'image/jpeg',
  url: 'https://f.test/t?a=1&b=2',
  until,
} as const
const file = {
  type: 'file',
  size: 123_456,
  name: 'Tom & "Jerry" <1>.amr',
  contentType: 'audio/amr',
  url: 'https://f.test/x',
  until,
  disposition: 'render',
  playingLength: 12,
} as const

/** As a handset writes it: prefixes, other namespaces, an element that nobody knows. */
const ofHandset = `<?xml version="1.0" encoding="UTF-8"?>
<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp" xmlns:am="urn:gsma:params:xml:ns:rcs:rcs:rram" xmlns:e="urn:gsma:params:xml:ns:rcs:rcs:up:fthttpext">
  <file-info type="file" file-disposition="render">
    <file-size>2048</file-size>
    <file-name>voice.amr</file-name>
    <content-type>audio/amr</content-type>
    <am:playing-length>5</am:playing-length>
    <e:branded-url>https://brand.test/x</e:branded-url>
    <data url="https://f.test/v" until="2030-01-02T03:04:05Z"></data>
  </file-info>
</file>`

describe('the information on a file', () => {
  test('is read as it was written, whatever the name has in it', () => {
    expect(readFileInfo(Buffer.from(writeFileInfo([thumbnail, file])))).toEqual([thumbnail, file])
  })

  test('of a handset is read', () => {
    expect(readFileInfo(Buffer.from(ofHandset))).toEqual([
      {
        type: 'file',
        size: 2048,
        name: 'voice.amr',
        contentType: 'audio/amr',
        url: 'https://f.test/v',
        until,
        disposition: 'render',
        playingLength: 5,
      },
    ])
  })

  test.each([
    ['is no XML', 'file'],
    ['is not closed', ofHandset.replace('</file>', '')],
    ['names no file', '<file/>'],
    ['is something else', '<other/>'],
    ['has a document type', `<!DOCTYPE file [<!ENTITY e "x">]>${ofHandset}`],
    ['has a size that is none', ofHandset.replace('2048', '-1')],
    ['has no link', ofHandset.replace(/<data.*data>/, '')],
    ['has no end', ofHandset.replace('2030-01-02T03:04:05Z', 'soon')],
    ['is of no type', ofHandset.replace('type="file"', 'type="disk"')],
    ['is very long', ofHandset + ' '.repeat(70_000)],
    ['is very deep', '<file>'.repeat(1000) + '</file>'.repeat(1000)],
  ])('that %s is refused', (_, text) => {
    expect(() => readFileInfo(Buffer.from(text))).toThrow(MalformedRcsFile)
  })
})

test('what is there of a file is read as it was written', () => {
  const info = { start: 0, end: 4095, url: 'https://f.test/content?tid=a&b' }
  expect(readResumeInfo(Buffer.from(writeResumeInfo(info)))).toEqual(info)
  expect(() => readResumeInfo(Buffer.from('<file-resume-info/>'))).toThrow(MalformedRcsFile)
})
