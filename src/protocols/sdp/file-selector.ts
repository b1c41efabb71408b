/** What a file is known by (RFC 5547 §6). */
export interface FileSelector {
  /** As people read it: percent-encoding and UTF-8 are resolved. */
  readonly name?: string | undefined
  readonly type?: string | undefined
  readonly size?: number | undefined
  readonly hashes: readonly FileHash[]
}

export interface FileHash {
  /** Such as `sha-1`, in lower case. */
  readonly algorithm: string
  /** Pairs of hexadecimal digits with colons between, in upper case. */
  readonly value: string
}

const mime = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const selector = new RegExp(
  [
    'name:"((?:[^"%\\0\\r\\n]|%[0-9A-Fa-f]{2})+)"',
    `type:(${mime}/${mime}(?:; ?${mime}=(?:${mime}|"[^"]*"))*)`,
    'size:(\\d{1,15})',
    `hash:(${mime}):([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)`,
  ].join('|'),
  'y',
)

/** Reads the value of a=file-selector; undefined when it is none. An empty one selects nothing yet (RFC 5547 §6). */
export function readFileSelector(value: string): FileSelector | undefined {
  const read: { name?: string; type?: string; size?: number; hashes: FileHash[] } = { hashes: [] }
  for (let at = 0; at < value.length; at = selector.lastIndex) {
    if (at > 0 && value[at++] !== ' ') return undefined
    selector.lastIndex = at
    const [, name, type, size, algorithm, hash] = selector.exec(value) ?? []
    if (name !== undefined && read.name === undefined) read.name = unescaped(name)
    else if (type !== undefined && read.type === undefined) read.type = type
    else if (size !== undefined && read.size === undefined) read.size = Number(size)
    else if (hash !== undefined) read.hashes.push({ algorithm: lower(algorithm), value: hash.toUpperCase() })
    else return undefined
  }
  return read
}

const lower = (text = ''): string => text.toLowerCase()

/** The value of a=file-selector. */
export function writeFileSelector({ name, type, size, hashes }: FileSelector): string {
  const selectors: string[] = []
  if (name !== undefined) selectors.push(`name:"${escaped(name)}"`)
  if (type !== undefined) selectors.push(`type:${type}`)
  if (size !== undefined) selectors.push(`size:${size}`)
  for (const hash of hashes) selectors.push(`hash:${hash.algorithm}:${hash.value}`)
  return selectors.join(' ')
}

function unescaped(name: string): string {
  const bytes = name.replace(/%([0-9A-Fa-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** RFC 5547 §6: NUL, CR, LF, quote and percent are the characters that must be encoded. */
function escaped(name: string): string {
  const bytes = Buffer.from(name, 'utf8').toString('latin1')
  return bytes.replace(/[\0\r\n"%]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}
