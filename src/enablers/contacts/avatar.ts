import { readElements } from '../../protocols/xml/read-elements.ts'
import { stringValue } from '../../protocols/xml/string-value.ts'

/** The picture in a presence content document (OMA Presence Content XDM §5.1). */
export interface Avatar {
  readonly contentType: string
  readonly bytes: Buffer
}

const limits = { depth: 16, elements: 100 }
/** What browsers show and do not run. */
const pictures: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/bmp'])

export function readAvatar(content: Buffer): Avatar | undefined {
  const text = content.toString('utf8')
  const { children } = readElements(text, limits)
  const textOf = (name: string) => {
    const found = children.find((child) => child.name === name)
    return found && stringValue(text, found).trim()
  }
  const [type = '', data] = [textOf('mime-type')?.toLowerCase(), textOf('data')]
  if (data === undefined) return undefined
  const contentType = pictures.has(type) ? type : 'application/octet-stream'
  return { contentType, bytes: Buffer.from(data, 'base64') }
}
