import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { stringValue } from '../xml/string-value.ts'
import type { XmlElement } from '../xml/xml-element.ts'

/** What tells of a file that was uploaded (features 1.7). */
export const fileInfoType = 'application/vnd.gsma.rcs-ft-http+xml'

const limits = { depth: 8, elements: 100 }
const mostBytes = 65_536

/** What a file information document says of the file itself, as attributes of a stored object. None where it cannot be read. */
export function fileAttributes(body: Buffer): Readonly<Record<string, readonly string[]>> {
  if (body.length > mostBytes) return {}
  const text = body.toString('utf8').replaceAll('\0', '')
  try {
    const root = readElements(text, limits)
    const info = root.children.find((one) => one.name === 'file-info' && attribute(one, 'type') === 'file')
    return info === undefined ? {} : attributesOf(text, info)
  } catch (err) {
    if (err instanceof MalformedXml) return {}
    throw err
  }
}

function attributesOf(text: string, info: XmlElement): Record<string, readonly string[]> {
  const attributes: Record<string, readonly string[]> = {}
  for (const one of info.children) {
    const name = names[one.name]
    const value = one.name === 'data' ? attribute(one, 'url') : stringValue(text, one).trim()
    if (name !== undefined && value !== undefined && value !== '') attributes[name] = [value]
  }
  return attributes
}

const names: Readonly<Record<string, string>> = {
  'file-name': 'File-Name',
  'file-size': 'File-Size',
  'content-type': 'File-Type',
  data: 'File-URL',
}

const attribute = ({ attributes }: XmlElement, name: string): string | undefined =>
  attributes.find((one) => one.name === name)?.value
