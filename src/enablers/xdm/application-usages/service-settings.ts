import { type ApplicationUsage, type Candidate, usualAccess } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'
import { checkRoot } from './root-element.ts'

const namespace = 'urn:parley:service-settings'

/** How messages and sessions reach a user (spec of CPM: service settings, which has no registered usage for them). */
export const serviceSettings: ApplicationUsage = {
  auid: 'org.parley.service-settings',
  contentType: 'application/vnd.parley.service-settings+xml',
  namespace,
  namespaces: [namespace],
  schema: 'service-settings.xsd',
  names: (document, tree) => tree === 'users' && document === 'index',
  permits: usualAccess,
  check: checkRules,
}

const kept = ['message', 'chat', undefined]

/** Only messages and chats can be kept; addresses in rules are the user's own. */
function checkRules(candidate: Candidate): void {
  checkRoot(candidate, namespace, 'service-settings')
  const reception = candidate.root.children.filter(({ name }) => name === 'reception')
  for (const rule of reception.flatMap(({ children }) => children)) {
    const attribute = (name: string) => rule.attributes.find((one) => one.name === name)?.value
    const contact = attribute('contact')
    if (contact !== undefined && candidate.owner?.identities.includes(contact) !== true)
      throw new XcapConflict({ kind: 'constraint-failure', phrase: `${contact} is no address of this user` })
    if (attribute('action') === 'keep' && !kept.includes(attribute('media')))
      throw new XcapConflict({ kind: 'constraint-failure', phrase: `${attribute('media')} cannot be kept` })
  }
}
