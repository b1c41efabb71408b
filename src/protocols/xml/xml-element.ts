/** An element of a document, and where it stands in the text. Offsets count characters (UTF-16 units) of the whole text. */
export interface XmlElement {
  /** Local name, prefix ('' where there is none) and namespace ('' for none). */
  readonly name: string
  readonly prefix: string
  readonly namespace: string
  readonly parent: XmlElement | undefined
  readonly children: XmlElement[]
  readonly attributes: readonly XmlAttribute[]
  /** Namespace declarations of the element itself, by prefix. */
  readonly declared: ReadonlyMap<string, string>
  readonly start: number
  /** After the name in the start tag: where another attribute may be put. */
  readonly afterName: number
  /** After the `>` of the start tag. */
  readonly contentStart: number
  /** Before the end tag; the same as `contentStart` in an empty-element tag. */
  contentEnd: number
  end: number
}

export interface XmlAttribute {
  readonly name: string
  readonly prefix: string
  readonly namespace: string
  /** Normalised, references resolved (XML 1.0 §3.3.3). */
  readonly value: string
  /** With the white space before it. */
  readonly start: number
  readonly end: number
  /** Between the quotes. */
  readonly valueStart: number
  readonly valueEnd: number
}

/** The namespace that a prefix is bound to at an element; undefined for one that is not bound. '' is the default namespace. */
export function namespaceOf(
  element: Pick<XmlElement, 'declared' | 'parent'> | undefined,
  prefix: string,
): string | undefined {
  for (let at = element; at !== undefined; at = at.parent) {
    const bound = at.declared.get(prefix)
    if (bound !== undefined) return bound
  }
  if (prefix === 'xml') return 'http://www.w3.org/XML/1998/namespace'
  return prefix === '' ? '' : undefined
}

/** All namespace bindings in scope at an element, the nearest first wins. */
export function namespacesInScope(element: XmlElement): ReadonlyMap<string, string> {
  const bindings = new Map<string, string>()
  for (let at: XmlElement | undefined = element; at !== undefined; at = at.parent) {
    for (const [prefix, uri] of at.declared) if (!bindings.has(prefix)) bindings.set(prefix, uri)
  }
  return bindings
}
