import { type ApplicationUsage, type Candidate, type Searched, usualAccess } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'
import { checkRoot } from './root-element.ts'
import { checkUris, type UriNeeds } from './unique-uris.ts'

const namespace = 'urn:oma:xml:poc:list-service'

export const groupTerms: Searched = {
  entries: ['group', 'list-service'],
  paths: ['@uri', 'display-name', 'subject', 'list/entry/@uri', 'invite-members', 'max-participant-count'],
}

/** Groups that are arranged beforehand (OMA Shared Group XDM). */
export function groups(needs: UriNeeds): ApplicationUsage {
  return {
    auid: 'org.openmobilealliance.groups',
    contentType: 'application/vnd.oma.poc.groups+xml',
    namespace,
    namespaces: [namespace, 'urn:oma:xml:xdm:extensions'],
    schema: 'groups.xsd',
    searched: groupTerms,
    names: (document, tree) => tree === 'users' && document !== '',
    permits: usualAccess,
    check: async (candidate) => {
      checkRoot(candidate, namespace, 'group')
      checkMembers(candidate)
      const services = candidate.root.children.filter((child) => child.name === 'list-service')
      await checkUris(candidate, services, needs)
    },
  }
}

/** Nobody is a member twice. */
function checkMembers({ root }: Candidate): void {
  for (const list of root.children.flatMap(({ children }) => children.filter(({ name }) => name === 'list'))) {
    const seen = new Set<string>()
    for (const { name, attributes } of list.children) {
      const uri = name === 'entry' ? attributes.find((one) => one.name === 'uri')?.value : undefined
      if (uri === undefined) continue
      if (seen.has(uri)) {
        const exists = [{ field: 'list/entry/@uri' }]
        throw new XcapConflict({ kind: 'uniqueness-failure', phrase: `${uri} is there twice`, exists })
      }
      seen.add(uri)
    }
  }
}
