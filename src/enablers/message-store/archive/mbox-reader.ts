import { hash } from 'node:crypto'
import { isFromLine } from '../../../protocols/mbox/mbox.ts'
import { readContentType } from '../../../protocols/mime/content-type.ts'
import { addressOfRecord } from '../../../protocols/sip/address-of-record.ts'
import type { ArchivedObject, Entry } from './entry.ts'
import { heldTogether } from './entry.ts'
import { badLine, faultIn, type Lines } from './lines.ts'
import { flagsOf } from './mail-flags.ts'
import { MboxBody, readHead } from './mbox-body.ts'
import { objectLine, toObject } from './object-line.ts'
import { readPath } from './values.ts'

type Head = ReadonlyMap<string, string>

/** Reads an mbox: our own, with all that an object is, or that of somebody else. */
export async function* readMboxArchive(lines: Lines): AsyncGenerator<Entry> {
  const first = await lines.peek()
  if (first !== undefined && (first.bytes === undefined || !isFromLine(first.bytes))) {
    yield { line: first.number, fault: 'not the From line that an mbox begins with' }
    await skipMessage(lines)
  }
  for (let at = await lines.next(); at !== undefined; at = await lines.next()) {
    try {
      yield* await readMessage(lines, at.number)
    } catch (err) {
      yield { line: at.number, fault: faultIn(err) }
    }
    await skipMessage(lines)
  }
}

async function skipMessage(lines: Lines): Promise<void> {
  for (let next = await lines.peek(); next !== undefined; next = await lines.peek()) {
    if (next.bytes !== undefined && isFromLine(next.bytes)) return
    await lines.next()
  }
}

async function readMessage(lines: Lines, line: number): Promise<Entry[]> {
  const head = await readHead(lines, line)
  const folders = head.get('x-parley-folders')
  if (folders !== undefined) return foldersOf(folders, line)
  const written = head.get('x-parley-object')
  if (written === undefined) return [await readMail(head, lines, line)]
  return [await readObject(written, head, lines, line)]
}

function foldersOf(written: string, line: number): Entry[] {
  const paths = parsed(written, line)
  if (!Array.isArray(paths)) throw badLine(line, 'X-Parley-Folders is no list')
  return paths.map((path) => {
    const folder = readPath(String(path))
    return folder === undefined ? { line, fault: 'not the path of a folder' } : { line, folder }
  })
}

/** What this server has written. */
async function readObject(written: string, head: Head, lines: Lines, line: number): Promise<Entry> {
  const { success, data } = objectLine.safeParse(parsed(written, line))
  if (!success) throw badLine(line, 'X-Parley-Object does not say what an object is')
  const alone = data.payload !== undefined && data.parts === undefined
  const body = new MboxBody(lines, line, alone ? undefined : boundaryOf(head), head)
  const object = toObject({ ...data, flags: flagsOf(data.flags, (name) => head.get(name)) }, body)
  if (body.bytes > heldTogether) return { line, object, bytes: 0 }
  return { line, object: await body.hold(object), bytes: body.bytes }
}

const boundaryOf = (head: Head) => readContentType(head.get('content-type') ?? '').params.get('boundary')

function parsed(json: string, line: number): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw badLine(line, 'its X-Parley header field is not JSON')
  }
}

/** A mail that somebody else's program has written. The same mail gets the same id each time. */
async function readMail(head: Head, lines: Lines, line: number): Promise<Entry> {
  const received = head.get('message-direction')?.toLowerCase() !== 'sent'
  const peer = addressIn(head.get(received ? 'from' : 'to') ?? '')
  const date = Date.parse(head.get('date') ?? '')
  if (peer === undefined || Number.isNaN(date)) throw badLine(line, 'a mail without address or date')
  const multipart = /^multipart\//i.test(head.get('content-type') ?? '')
  const body = new MboxBody(lines, line, undefined, multipart ? new Map() : head)
  const folder = readPath(head.get('x-folder') ?? '') ?? []
  const subject = head.get('subject')
  const object: ArchivedObject = {
    id: idOf(head),
    ...(folder.length > 0 && { folderPath: folder }),
    ...{ kind: 'message', date, direction: received ? 'in' : 'out', peer, disposition: 0 },
    flags: flagsOf([], (name) => head.get(name)),
    ...(head.has('imdn-message-id') && { correlationId: head.get('imdn-message-id') as string }),
    ...(head.has('conversation-id') && { conversationId: head.get('conversation-id') as string }),
    ...(head.has('contribution-id') && { contributionId: head.get('contribution-id') as string }),
    attributes: subject === undefined ? {} : { Subject: [subject] },
    payload: { contentType: head.get('content-type') ?? 'text/plain', content: body.rest() },
  }
  return { line, object, bytes: 0 }
}

/** `Bob <sip:bob@parley.test>`, `bob@parley.test (Bob)`. */
function addressIn(value: string): string | undefined {
  const [bare = ''] = (/<([^<>]*)>/.exec(value)?.[1] ?? value).trim().split(/[\s,;(]/)
  if (bare === '') return undefined
  return addressOfRecord(/^(sips?|tel):/i.test(bare) ? bare : `sip:${bare}`) ?? bare.slice(0, 200)
}

const ofStatus: ReadonlySet<string> = new Set(['status', 'x-status', 'x-keywords', 'x-folder'])

function idOf(head: Head): string {
  const fields = [...head].filter(([name]) => !ofStatus.has(name)).map(([name, value]) => `${name}:${value}`)
  const digits = hash('sha256', fields.join('\n'), 'hex')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')
}
