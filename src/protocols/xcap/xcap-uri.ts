import { MalformedXcap } from './malformed-xcap.ts'
import { type NodeSelector, readNodeSelector } from './node-selector.ts'

/** The path and query of an XCAP URI below the XCAP root, read (RFC 4825 §6). */
export interface XcapUri {
  readonly auid: string
  /** Undefined in the global tree. */
  readonly xui: string | undefined
  /** The path of the document below its home directory, such as `index`; '' where only a directory is named. */
  readonly document: string
  readonly node: NodeSelector | undefined
  /** What the query binds prefixes to (RFC 4825 §6.4). */
  readonly bindings: ReadonlyMap<string, string>
}

/** Longest path and query that are read. */
const maxLength = 8_192

/** Reads what follows the XCAP root, such as `/resource-lists/users/sip:a@b/index/~~/resource-lists`. Throws MalformedXcap. */
export function readXcapUri(pathAndQuery: string): XcapUri {
  if (pathAndQuery.length > maxLength) throw new MalformedXcap('too long')
  const [path = '', query = ''] = splitOnce(pathAndQuery, '?')
  const [documentPath = '', nodePath] = splitOnce(path, '/~~/')
  const [auid, tree, ...rest] = documentPath.replace(/^\//, '').split('/').map(decode)
  if (auid === undefined || auid === '') throw new MalformedXcap('no application usage')
  if (tree !== 'users' && tree !== 'global') throw new MalformedXcap('neither users nor global')
  const [xui, names] = tree === 'users' ? [rest[0] ?? '', rest.slice(1)] : [undefined, rest]
  if (xui === '') throw new MalformedXcap('no user')
  return {
    auid,
    xui,
    document: nameOf(names),
    node: nodePath === undefined ? undefined : readNodeSelector(decode(nodePath)),
    bindings: readBindings(decode(query)),
  }
}

/** Segments of a document name must be ones: `..`, an empty one or a slash in one would name something else. */
function nameOf(segments: readonly string[]): string {
  const names = segments.at(-1) === '' ? segments.slice(0, -1) : segments
  for (const name of names) {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || isControlled(name))
      throw new MalformedXcap('a segment that names nothing')
  }
  return names.join('/')
}

/** The xmlns() parts of an XPointer (W3C xmlns scheme); others are passed over, as §6.4 has it. */
function readBindings(query: string): ReadonlyMap<string, string> {
  const bindings = new Map<string, string>()
  for (const [, scheme, data = ''] of query.matchAll(/([A-Za-z_][\w.:-]*)\(((?:\^.|[^()^])*)\)/g)) {
    if (scheme !== 'xmlns') continue
    const [prefix = '', uri] = splitOnce(data, '=')
    if (uri === undefined) throw new MalformedXcap('an xmlns() without namespace')
    bindings.set(prefix.trim(), uri.trim().replace(/\^(.)/g, '$1'))
  }
  return bindings
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (err) {
    throw new MalformedXcap('wrong percent-encoding', { cause: err })
  }
}

const isControlled = (name: string): boolean => /[\x00-\x1f\x7f]/.test(name)

function splitOnce(text: string, by: string): readonly [string, string?] {
  const at = text.indexOf(by)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + by.length)]
}
