import { quoteLines, writeFromLine } from '../../../protocols/mbox/mbox.ts'
import { writeSipDate } from '../../../protocols/sip/date.ts'
import type { Content } from '../mailbox/content.ts'
import { heldWhole, type Written } from './entry.ts'
import { objectFields } from './json-writer.ts'
import { statusOf } from './mail-flags.ts'
import { inPieces } from './pieces.ts'

/** Bytes of a line of base64, and of what is encoded at a time: many such lines. */
const lineBytes = 57
const pieceBytes = 57 * 3000

/** The names of folders, in a message of their own: mail readers show it as what it is. */
export function writeMboxHead(user: string, folders: readonly string[]): Buffer {
  const names = folders.map((path) => JSON.stringify(path))
  const text = [
    writeFromLine('MAILER-DAEMON', 0).trimEnd(),
    ...['From: <MAILER-DAEMON>', 'Date: Thu, 01 Jan 1970 00:00:00 +0000', 'MIME-Version: 1.0', 'Status: RO'],
    `Subject: ${asHeader('The mailbox of ', user)}`,
    folded('X-Parley-Folders', `[${names.join(',')}]`),
    ...['Content-Type: text/plain', '', 'This message holds the names of the folders, for import.', '', ''],
  ]
  return Buffer.from(text.join('\n'))
}

/** A message of RFC 4155 (mboxrd) with the header fields of CPM, and parts as multipart. */
export async function* writeMboxObject(
  written: Written,
  contents: readonly Content[],
  user: string,
): AsyncGenerator<Buffer> {
  const { object } = written
  const boundary = `parley-${object.id}`
  const payloadAlone = contents.length === 1 && object.contentType !== undefined
  const [content] = contents
  yield Buffer.from(headOf(written, contents, user))
  if (payloadAlone && content !== undefined) yield* writeEntity(contentHead(content), content, boundary)
  else if (contents.length > 0) yield* writeParts(written, contents, boundary)
  else yield Buffer.from('\n')
  yield Buffer.from('\n')
}

async function* writeParts(
  { object }: Written,
  contents: readonly Content[],
  boundary: string,
): AsyncGenerator<Buffer> {
  yield Buffer.from(`Content-Type: multipart/mixed; boundary="${boundary}"\n\n`)
  const parts = object.contentType === undefined ? object.parts : [undefined, ...object.parts]
  for (const [at, content] of contents.entries()) {
    const { contentId, contentLocation, fileName } = parts[at] ?? {}
    const head = [
      contentHead(content),
      ...(contentId === undefined ? [] : [`Content-ID: ${asHeader('', contentId)}\n`]),
      ...(contentLocation === undefined ? [] : [`Content-Location: ${asHeader('', contentLocation)}\n`]),
      ...(fileName === undefined ? [] : [`Content-Disposition: attachment; filename="${asFileName(fileName)}"\n`]),
    ]
    yield Buffer.from(`--${boundary}\n`)
    yield* writeEntity(head.join(''), content, boundary)
  }
  yield Buffer.from(`--${boundary}--\n`)
}

const contentHead = ({ contentType }: Content) => `Content-Type: ${asHeader('', contentType)}\n`

/** What is text stays readable; all else is base64. */
async function* writeEntity(head: string, content: Content, boundary: string): AsyncGenerator<Buffer> {
  const text = content.size <= heldWhole && isText(content) ? await content.buffer(heldWhole) : undefined
  if (text !== undefined && fitsLines(text) && !text.includes(`--${boundary}`)) {
    yield Buffer.from(`${head}Content-Transfer-Encoding: 8bit\n\n`)
    yield quoteLines(text)
    yield Buffer.from('\n')
    return
  }
  yield Buffer.from(`${head}Content-Transfer-Encoding: base64\n\n`)
  for await (const piece of inPieces(content.read(), pieceBytes)) yield base64Lines(piece)
}

const isText = ({ contentType }: Content) => /^(text|message)\//i.test(contentType)

/** RFC 5322 §2.1.1, and no CR but at the end of a line. */
function fitsLines(text: Buffer): boolean {
  if (text.includes(0)) return false
  const lines = text.toString('latin1').split('\n')
  return lines.every((line) => line.length <= 998 && !line.slice(0, -1).includes('\r')) && !lines.at(-1)?.endsWith('\r')
}

function base64Lines(piece: Buffer): Buffer {
  const lines: string[] = []
  for (let at = 0; at < piece.length; at += lineBytes) lines.push(`${piece.toString('base64', at, at + lineBytes)}\n`)
  return Buffer.from(lines.join(''))
}

/** All but the header fields of the content. */
function headOf(written: Written, contents: readonly Content[], user: string): string {
  const { object, path } = written
  const received = object.direction === 'in'
  const attribute = (name: string, value = object.attributes[name]?.[0]): string[] =>
    value === undefined ? [] : [`${name}: ${asHeader('', value)}`]
  const field = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`${name}: ${asHeader('', value)}`]
  const lines = [
    writeFromLine(received ? object.peer : user, object.date).trimEnd(),
    `From: <${asHeader('', received ? object.peer : user)}>`,
    `To: <${asHeader('', received ? user : object.peer)}>`,
    `Date: ${writeSipDate(object.date).replace('GMT', '+0000')}`,
    ...['Subject', 'P-Asserted-Service', 'InReplyTo-Contribution-ID', 'Message-Context'].flatMap((name) =>
      attribute(name),
    ),
    ...field('Conversation-ID', object.conversationId),
    ...field('Contribution-ID', object.contributionId),
    ...field('IMDN-Message-ID', object.correlationId),
    ...field('Message-Correlator', object.correlationTag),
    `Message-Direction: ${received ? 'received' : 'sent'}`,
    `X-Folder: ${asHeader('', path)}`,
    ...statusOf(object.flags),
    folded(
      'X-Parley-Object',
      JSON.stringify(
        objectFields(
          written,
          contents.map(({ size }) => ({ size })),
        ),
      ),
    ),
    'MIME-Version: 1.0',
  ]
  return `${lines.join('\n')}\n`
}

/** What people and mail readers see of a value, in one line: import does not read it. Not ASCII: RFC 2047. */
function asHeader(before: string, value: string): string {
  const short = `${before}${value}`.slice(0, 300)
  if (/^[ -~]*$/.test(short)) return short
  const words = short.match(/.{1,15}/gsu) ?? []
  return words.map((word) => `=?utf-8?B?${Buffer.from(word).toString('base64')}?=`).join('\n ')
}

const asFileName = (name: string) => name.slice(0, 200).replace(/[^ -~]|["\\]/g, '_')

/** ASCII, in lines that are put together again without what is between them. */
function folded(name: string, json: string): string {
  const ascii = json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `${name}: ${(ascii.match(/.{1,900}/g) ?? []).join('\n\t')}`
}
