import { type ApplicationUsage, usualAccess } from '../xcap/application-usage.ts'
import { checkRoot } from './root-element.ts'

const commonPolicy = 'urn:ietf:params:xml:ns:common-policy'

/** Who else may read documents of a user (OMA Shared Policy XDM). */
export const accessRules: ApplicationUsage = {
  auid: 'org.openmobilealliance.access-rules',
  contentType: 'application/auth-policy+xml',
  namespace: commonPolicy,
  namespaces: [commonPolicy, 'urn:oma:xml:xdm:common-policy', 'urn:parley:access-rules'],
  schema: 'access-rules.xsd',
  names: (document, tree) => tree === 'users' && document === 'access-rules',
  permits: usualAccess,
  check: (candidate) => checkRoot(candidate, commonPolicy, 'ruleset'),
}
