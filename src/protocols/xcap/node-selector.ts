import { MalformedXml } from '../xml/malformed-xml.ts'
import { escapeAttribute, resolveReferences } from '../xml/references.ts'
import { MalformedXcap } from './malformed-xcap.ts'

/** A name as it is written in a selector: '' for no prefix. */
export interface QualifiedName {
  readonly prefix: string
  readonly name: string
}

/** One step to a child element (RFC 4825 §6.3). */
export interface Step {
  /** Undefined: any element (`*`). */
  readonly element: QualifiedName | undefined
  /** From 1. */
  readonly position: number | undefined
  readonly attribute: { readonly name: QualifiedName; readonly value: string } | undefined
}

/** What of a document is meant: an element, or an attribute or the namespace bindings of it. */
export interface NodeSelector {
  readonly steps: readonly Step[]
  readonly terminal: { readonly attribute: QualifiedName } | 'namespaces' | undefined
}

/** Longest selectors that are read. */
const maxSteps = 100

/** Reads a node selector whose percent-encoding is gone. Throws MalformedXcap. */
export function readNodeSelector(text: string): NodeSelector {
  const steps: Step[] = []
  let at = 0
  for (;;) {
    const end = stepEnd(text, at)
    const part = text.slice(at, end)
    const terminal = end === text.length && steps.length > 0 ? readTerminal(part) : undefined
    if (terminal !== undefined) return { steps, terminal }
    steps.push(readStep(part))
    if (steps.length > maxSteps) throw new MalformedXcap('too many steps')
    if (end === text.length) return { steps, terminal: undefined }
    at = end + 1
  }
}

/** The `/` that ends a step; one in quotes belongs to an attribute value. */
function stepEnd(text: string, from: number): number {
  let quote = ''
  for (let at = from; at < text.length; at++) {
    const char = text[at] as string
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
    else if (char === '/') return at
  }
  return text.length
}

function readTerminal(part: string): NodeSelector['terminal'] {
  if (part === 'namespace::*') return 'namespaces'
  return part.startsWith('@') ? { attribute: readName(part.slice(1)) } : undefined
}

const stepForm = /^([^[\]]+)(?:\[([0-9]{1,9})\])?(?:\[@([^=\s]+)=("[^"<]*"|'[^'<]*')\])?$/

function readStep(part: string): Step {
  const [, name, position, attribute, quoted] = stepForm.exec(part) ?? []
  if (name === undefined) throw new MalformedXcap(`${part} is no step`)
  if (position !== undefined && Number(position) === 0) throw new MalformedXcap('positions begin with 1')
  return {
    element: name === '*' ? undefined : readName(name),
    position: position === undefined ? undefined : Number(position),
    attribute:
      attribute === undefined || quoted === undefined
        ? undefined
        : { name: readName(attribute), value: unescaped(quoted.slice(1, -1)) },
  }
}

/** An attribute value is written as in a document (RFC 4825 §6.3): references stand for characters. */
function unescaped(written: string): string {
  try {
    return resolveReferences(written)
  } catch (err) {
    if (err instanceof MalformedXml) throw new MalformedXcap(err.message, { cause: err })
    throw err
  }
}

/** Namespaces in XML 1.0 §4. */
const nameForm = /^(?:([\p{L}_][\p{L}\p{N}\p{M}._·-]*):)?([\p{L}_][\p{L}\p{N}\p{M}._·-]*)$/u

function readName(text: string): QualifiedName {
  const [, prefix = '', name] = nameForm.exec(text) ?? []
  if (name === undefined) throw new MalformedXcap(`${text} is no name`)
  return { prefix, name }
}

/** The first `depth` steps as they stand in a URI. */
export function writeSteps({ steps }: NodeSelector, depth: number): string {
  return steps
    .slice(0, depth)
    .map((step) => encodeURIComponent(writeStep(step)))
    .join('/')
}

function writeStep({ element, position, attribute }: Step): string {
  const name = element === undefined ? '*' : writeName(element)
  const test = attribute && `[@${writeName(attribute.name)}="${escapeAttribute(attribute.value)}"]`
  return `${name}${position === undefined ? '' : `[${position}]`}${test ?? ''}`
}

const writeName = ({ prefix, name }: QualifiedName): string => (prefix === '' ? name : `${prefix}:${name}`)
