import { MalformedXml } from './malformed-xml.ts'

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' }

/** Text with its character and predefined entity references resolved (XML 1.0 §4.1, §4.6). Throws MalformedXml for others. */
export function resolveReferences(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|([A-Za-z]+));|&/g, (_, hex, decimal, name) => {
    if (name !== undefined && Object.hasOwn(named, name)) return named[name] as string
    const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16)
    if (!isCharacter(code)) throw new MalformedXml('a reference that names no character')
    return String.fromCodePoint(code)
  })
}

/** XML 1.0 §2.2. */
const isCharacter = (code: number): boolean =>
  code === 0x9 ||
  code === 0xa ||
  code === 0xd ||
  (code >= 0x20 && code <= 0xd7ff) ||
  (code >= 0xe000 && code <= 0xfffd) ||
  (code >= 0x10000 && code <= 0x10ffff)

/** Text as it stands in an attribute value between double quotes. */
export const escapeAttribute = (value: string): string =>
  value.replace(/[&<"\t\n\r]/g, (char) => escapes[char] ?? `&#${char.charCodeAt(0)};`)

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '"': '&quot;' }
