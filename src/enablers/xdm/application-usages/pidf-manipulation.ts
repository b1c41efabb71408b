import { type ApplicationUsage, usualAccess } from '../xcap/application-usage.ts'
import { checkRoot } from './root-element.ts'

const namespace = 'urn:ietf:params:xml:ns:pidf'

/** Presence that holds until it is changed, whatever devices publish (RFC 4827). */
export const pidfManipulation: ApplicationUsage = {
  auid: 'pidf-manipulation',
  contentType: 'application/pidf+xml',
  namespace,
  namespaces: [namespace, 'urn:ietf:params:xml:ns:pidf:data-model'],
  schema: 'pidf.xsd',
  names: (document, tree) => tree === 'users' && document === 'index',
  permits: usualAccess,
  check: (candidate) => checkRoot(candidate, namespace, 'presence'),
}
