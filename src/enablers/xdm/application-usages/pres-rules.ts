import { type ApplicationUsage, usualAccess } from '../xcap/application-usage.ts'
import { checkRoot } from './root-element.ts'

const commonPolicy = 'urn:ietf:params:xml:ns:common-policy'
const namespace = 'urn:ietf:params:xml:ns:pres-rules'
const ofOma = ['urn:oma:xml:xdm:common-policy', 'urn:oma:xml:prs:pres-rules']

/** Who may see the presence of a user (RFC 5025 §9). */
export const presRules: ApplicationUsage = {
  auid: 'pres-rules',
  contentType: 'application/auth-policy+xml',
  namespace,
  namespaces: [namespace, commonPolicy],
  schema: 'pres-rules.xsd',
  names: (document, tree) => tree === 'users' && document === 'index',
  permits: usualAccess,
  check: (candidate) => checkRoot(candidate, commonPolicy, 'ruleset'),
}

/** The same as OMA Presence has it: another place, another default namespace. */
export const omaPresRules: ApplicationUsage = {
  ...presRules,
  auid: 'org.openmobilealliance.pres-rules',
  namespace: commonPolicy,
  namespaces: [namespace, commonPolicy, ...ofOma],
  names: (document, tree) => tree === 'users' && document === 'pres-rules',
}
