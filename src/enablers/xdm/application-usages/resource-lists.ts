import type { XmlElement } from '../../../protocols/xml/xml-element.ts'
import { type ApplicationUsage, type Candidate, usualAccess } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'

const namespace = 'urn:ietf:params:xml:ns:resource-lists'

/** Lists of addresses, the contact list among them (RFC 4826 §3). */
export const resourceLists: ApplicationUsage = {
  auid: 'resource-lists',
  contentType: 'application/resource-lists+xml',
  namespace,
  namespaces: [namespace],
  schema: 'resource-lists.xsd',
  names: (document) => document !== '',
  permits: usualAccess,
  check: checkNames,
}

/** Of one parent, each kind of child has this of its own (RFC 4826 §3.4.5). */
const unique = { list: 'name', entry: 'uri', 'entry-ref': 'ref', external: 'anchor' } as const
const isNamed = (name: string): name is keyof typeof unique => Object.hasOwn(unique, name)

function checkNames({ root }: Candidate): void {
  const visit = (parent: XmlElement) => {
    const seen = {
      list: new Set<string>(),
      entry: new Set<string>(),
      'entry-ref': new Set<string>(),
      external: new Set<string>(),
    }
    for (const child of parent.children) {
      if (child.namespace !== namespace) continue
      if (isNamed(child.name)) checkUnique(child, unique[child.name], seen[child.name])
      if (child.name === 'list') visit(child)
    }
  }
  visit(root)
}

function checkUnique(child: XmlElement, attribute: string, seen: Set<string>): void {
  const value = child.attributes.find(({ name, namespace: its }) => name === attribute && its === '')?.value
  if (value === undefined) return
  if (seen.has(value))
    throw new XcapConflict({
      kind: 'uniqueness-failure',
      phrase: `${value} is there twice`,
      exists: [{ field: `${child.name}/@${attribute}` }],
    })
  seen.add(value)
}
