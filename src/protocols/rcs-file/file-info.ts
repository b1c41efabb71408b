import { checkWellFormed } from '../xml/check-well-formed.ts'
import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { escapeAttribute } from '../xml/references.ts'
import { stringValue } from '../xml/string-value.ts'
import type { XmlElement } from '../xml/xml-element.ts'
import { MalformedRcsFile } from './malformed-rcs-file.ts'

/** What a message says of a file, or of its preview, that can be had over HTTP (GSMA RCC.07 §3.2.5.3). */
export interface FileInfo {
  readonly type: 'file' | 'thumbnail'
  readonly size: number
  readonly name?: string
  readonly contentType: string
  readonly url: string
  /** Milliseconds since 1970: when the server forgets it. */
  readonly until: number
  /** `render` for what is to be played at once, such as a voice message. */
  readonly disposition?: string
  /** Of a voice message, in seconds. */
  readonly playingLength?: number
}

/** What a server has of a file of which the upload stopped half way. */
export interface ResumeInfo {
  /** Both ends included. */
  readonly start: number
  readonly end: number
  /** Where the rest goes. */
  readonly url: string
}

export const fileInfoType = 'application/vnd.gsma.rcs-ft-http+xml'
export const fileInfoNamespace = 'urn:gsma:params:xml:ns:rcs:rcs:fthttp'
const playingNamespace = 'urn:gsma:params:xml:ns:rcs:rcs:rram'

const limits = { depth: 16, elements: 200 }
const mostBytes = 65_536

export function writeFileInfo(files: readonly FileInfo[]): string {
  return `${declaration}<file xmlns="${fileInfoNamespace}">${files.map(writeOne).join('')}</file>`
}

export function writeResumeInfo({ start, end, url }: ResumeInfo): string {
  const data = `<file-range start="${start}" end="${end}"/><data url="${escapeAttribute(url)}"/>`
  return `${declaration}<file-resume-info xmlns="${fileInfoNamespace}">${data}</file-resume-info>`
}

/** The files that a message body names. Throws MalformedRcsFile. */
export function readFileInfo(bytes: Buffer): readonly FileInfo[] {
  const { text, root } = parsed(bytes, 'file')
  const files = root.children.filter(({ name }) => name === 'file-info').map((one) => readOne(text, one))
  if (files.length === 0) throw new MalformedRcsFile('no file-info')
  return files
}

/** Throws MalformedRcsFile. */
export function readResumeInfo(bytes: Buffer): ResumeInfo {
  const { root } = parsed(bytes, 'file-resume-info')
  const range = needed(root, 'file-range')
  const [start, end] = [wholeNumber(attribute(range, 'start')), wholeNumber(attribute(range, 'end'))]
  return { start, end, url: neededAttribute(needed(root, 'data'), 'url') }
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>'

function writeOne({ type, size, name, contentType, url, until, disposition, playingLength }: FileInfo): string {
  const shown = disposition === undefined ? '' : ` file-disposition="${escapeAttribute(disposition)}"`
  const named = name === undefined ? '' : `<file-name>${escapeText(name)}</file-name>`
  const playing =
    playingLength === undefined
      ? ''
      : `<am:playing-length xmlns:am="${playingNamespace}">${playingLength}</am:playing-length>`
  const data = `<data url="${escapeAttribute(url)}" until="${new Date(until).toISOString()}"/>`
  const typed = `<content-type>${escapeText(contentType)}</content-type>`
  return `<file-info type="${type}"${shown}><file-size>${size}</file-size>${named}${typed}${playing}${data}</file-info>`
}

const escapeText = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')

function parsed(bytes: Buffer, name: string): { readonly text: string; readonly root: XmlElement } {
  if (bytes.length > mostBytes) throw new MalformedRcsFile('too large')
  const text = bytes.toString('utf8')
  try {
    checkWellFormed(text)
    const root = readElements(text, limits)
    if (root.name === name) return { text, root }
  } catch (err) {
    if (!(err instanceof MalformedXml)) throw err
  }
  throw new MalformedRcsFile(`no ${name}`)
}

function readOne(text: string, element: XmlElement): FileInfo {
  const type = attribute(element, 'type')
  if (type !== 'file' && type !== 'thumbnail') throw new MalformedRcsFile('type is neither file nor thumbnail')
  const textOf = (name: string) => {
    const child = childOf(element, name)
    return child && stringValue(text, child).trim()
  }
  const data = needed(element, 'data')
  const [name, disposition, playing] = [
    textOf('file-name'),
    attribute(element, 'file-disposition'),
    textOf('playing-length'),
  ]
  return {
    type,
    size: wholeNumber(textOf('file-size')),
    ...(name !== undefined && { name }),
    contentType: textOf('content-type') ?? 'application/octet-stream',
    url: neededAttribute(data, 'url'),
    until: timeIn(neededAttribute(data, 'until')),
    ...(disposition !== undefined && { disposition }),
    ...(playing !== undefined && { playingLength: wholeNumber(playing) }),
  }
}

const childOf = (parent: XmlElement, name: string) => parent.children.find((child) => child.name === name)
const attribute = (element: XmlElement, name: string) => element.attributes.find((one) => one.name === name)?.value

function needed(parent: XmlElement, name: string): XmlElement {
  const child = childOf(parent, name)
  if (child === undefined) throw new MalformedRcsFile(`no ${name}`)
  return child
}

function neededAttribute(element: XmlElement, name: string): string {
  const value = attribute(element, name)
  if (value === undefined || value === '') throw new MalformedRcsFile(`${element.name} without ${name}`)
  return value
}

function wholeNumber(text: string | undefined): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) throw new MalformedRcsFile('not a whole number')
  return Number(text)
}

function timeIn(text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new MalformedRcsFile('until is no time')
  return time
}
