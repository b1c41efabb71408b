import { MalformedXcap } from '../../../protocols/xcap/malformed-xcap.ts'
import { readXcapUri } from '../../../protocols/xcap/xcap-uri.ts'
import { MalformedXml } from '../../../protocols/xml/malformed-xml.ts'
import { stringValue } from '../../../protocols/xml/string-value.ts'
import type { XmlElement } from '../../../protocols/xml/xml-element.ts'
import { type ApplicationUsage, type Candidate, type Searched, usualAccess } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'
import { resourceLists } from './resource-lists.ts'
import { checkRoot } from './root-element.ts'
import { checkUris, type UriNeeds } from './unique-uris.ts'

const namespace = 'urn:ietf:params:xml:ns:rls-services'
const auid = 'rls-services'

/** For whoever is asked for such a service; not for searches of users. */
export const rlsServiceTerms: Searched = { entries: ['rls-services', 'service'], paths: ['@uri'] }

/** Lists with an address of their own, that can be subscribed to (RFC 4826 §4). The global index is no document here. */
export function rlsServices(needs: UriNeeds): ApplicationUsage {
  return {
    auid,
    contentType: 'application/rls-services+xml',
    namespace,
    namespaces: [namespace],
    schema: 'rls-services.xsd',
    names: (document, tree) => tree === 'users' && document !== '',
    permits: usualAccess,
    check: async (candidate) => {
      checkRoot(candidate, namespace, 'rls-services')
      const services = candidate.root.children.filter((child) => child.name === 'service')
      for (const service of services) checkService(candidate, service)
      await checkUris(candidate, services, needs)
    },
  }
}

/** RFC 4826 §4.4.5: lists have the constraints of those in resource-lists; a reference leads to a list of the same user. */
function checkService(candidate: Candidate, service: XmlElement): void {
  for (const list of service.children.filter((child) => child.name === 'list'))
    void resourceLists.check?.({ ...candidate, root: list })
  const reference = service.children.find((child) => child.name === 'resource-list')
  if (reference === undefined || isOwnList(stringValue(candidate.text, reference).trim(), candidate)) return
  throw new XcapConflict({ kind: 'constraint-failure', phrase: 'resource-list names no list of this user' })
}

function isOwnList(uri: string, { owner }: Candidate): boolean {
  const [, below] = /^https?:\/\/[^/]*\/xcap(\/.*)$/i.exec(uri) ?? []
  if (below === undefined) return false
  try {
    const { auid: its, xui, node } = readXcapUri(below)
    return its === resourceLists.auid && node !== undefined && owner?.identities.includes(xui ?? '') === true
  } catch (err) {
    if (err instanceof MalformedXcap || err instanceof MalformedXml) return false
    throw err
  }
}
