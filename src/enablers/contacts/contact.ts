import { createHash } from 'node:crypto'
import { readElements } from '../../protocols/xml/read-elements.ts'
import { escapeAttribute } from '../../protocols/xml/references.ts'
import { stringValue } from '../../protocols/xml/string-value.ts'
import type { XmlElement } from '../../protocols/xml/xml-element.ts'

/** Somebody in the contact list of a user. */
export interface Contact {
  readonly uri: string
  readonly displayName: string | undefined
  /** Changes with what the list says of them. */
  readonly etag: string
}

export const namespace = 'urn:ietf:params:xml:ns:resource-lists'
const limits = { depth: 100, elements: 50_000 }

/** The entries of the list `contacts` in a resource-lists document; undefined where it has no such list. */
export function readContacts(content: Buffer): readonly Contact[] | undefined {
  const text = content.toString('utf8')
  const list = readElements(text, limits).children.find(
    (child) => isOurs(child, 'list') && attribute(child, 'name') === 'contacts',
  )
  return list?.children.filter((child) => isOurs(child, 'entry')).map((entry) => readEntry(text, entry))
}

function readEntry(text: string, entry: XmlElement): Contact {
  const name = entry.children.find((child) => isOurs(child, 'display-name'))
  return {
    uri: attribute(entry, 'uri') ?? '',
    displayName: name && stringValue(text, name),
    etag: tagOf(text.slice(entry.start, entry.end)),
  }
}

export function writeEntry(uri: string, displayName: string | undefined): Buffer {
  const name = displayName === undefined ? '' : `<display-name>${escapeText(displayName)}</display-name>`
  return Buffer.from(`<entry xmlns="${namespace}" uri="${escapeAttribute(uri)}">${name}</entry>`)
}

export const tagOf = (text: string): string => `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`

const isOurs = (element: XmlElement, name: string) => element.name === name && element.namespace === namespace
const attribute = (element: XmlElement, name: string) =>
  element.attributes.find((one) => one.name === name && one.namespace === '')?.value
const escapeText = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
