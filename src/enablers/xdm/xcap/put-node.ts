import { type Edit, type EditFault, putAttribute, putElement } from '../../../protocols/xcap/edit-element.ts'
import type { NodeSelector } from '../../../protocols/xcap/node-selector.ts'
import { type Bindings, selectElement } from '../../../protocols/xcap/select-element.ts'
import { MalformedXml } from '../../../protocols/xml/malformed-xml.ts'
import { resolveReferences } from '../../../protocols/xml/references.ts'
import { type DocumentText, readFragment, readUtf8 } from './document-text.ts'
import { XcapConflict } from './xcap-conflict.ts'

/** A document edited, with what a GET of the same URI has to return. */
interface Put {
  readonly edit: Edit | EditFault
  readonly value: string
}

/** RFC 4825 §8.2.3. Throws XcapConflict('not-xml-frag') for a body that is no element. */
export function putElementInto(
  body: Buffer,
  { text, root }: DocumentText,
  node: NodeSelector,
  bindings: Bindings,
): Put {
  const parent = selectElement(root, node.steps.slice(0, -1), bindings)
  const value = readFragment(body, parent)
  return { edit: putElement(text, root, node.steps, bindings, value), value }
}

/** RFC 4825 §8.2.3. Throws XcapConflict('not-xml-att-value') for a body that is no attribute value. */
export function putAttributeInto(
  body: Buffer,
  { text, root }: DocumentText,
  node: NodeSelector,
  bindings: Bindings,
): Put {
  const value = readAttributeValue(body)
  const element = selectElement(root, node.steps, bindings)
  if (element === undefined || typeof node.terminal !== 'object') return { edit: 'no-parent', value }
  return { edit: putAttribute(text, element, node.terminal.attribute, bindings, value), value }
}

function readAttributeValue(body: Buffer): string {
  const text = readUtf8(body)
  try {
    if (text.includes('<') || (text.includes('"') && text.includes("'")))
      throw new MalformedXml('a character that must be escaped')
    return resolveReferences(text)
  } catch (err) {
    if (err instanceof MalformedXml) throw new XcapConflict({ kind: 'not-xml-att-value', phrase: err.message })
    throw err
  }
}
