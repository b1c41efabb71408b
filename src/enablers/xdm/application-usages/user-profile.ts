import type { Access, ApplicationUsage, Candidate, Searched } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'
import { checkRoot } from './root-element.ts'

const namespace = 'urn:oma:xml:xdm:user-profile'

export const userProfileTerms: Searched = {
  entries: ['user-profiles', 'user-profile'],
  paths: [
    '@uri',
    'communication-addresses/comm-addr',
    'display-name',
    'birth-date',
    ...['given-name', 'family-name', 'middle-name', 'name-suffix', 'name-prefix'].map((part) => `name/${part}`),
    ...['country', 'region', 'locality', 'area', 'street-name', 'street-number', 'postal-code'].map(
      (part) => `address/${part}`,
    ),
    'gender',
    'freetext',
    'communication-types/comm-type',
    'hobbies/hobby',
    'favourite-links/link',
  ],
}

/** What users tell everybody here of themselves (OMA Shared Profile XDM). The global document is the operator's. */
export const userProfile: ApplicationUsage = {
  auid: 'org.openmobilealliance.user-profile',
  contentType: 'application/vnd.oma.user-profile+xml',
  namespace,
  namespaces: [namespace],
  schema: 'user-profile.xsd',
  searched: userProfileTerms,
  names: (document) => document === 'user-profile',
  permits: (access) => access.operation === 'read' || mayWrite(access),
  check: checkProfiles,
}

/** What the operator says of a user, to that user. */
export const lockedUserProfile: ApplicationUsage = {
  auid: 'org.openmobilealliance.locked-user-profile',
  contentType: 'application/vnd.oma.user-profile+xml',
  namespace,
  namespaces: [namespace],
  schema: 'user-profile.xsd',
  names: (document, tree) => tree === 'users' && document === 'locked-user-profile',
  permits: ({ principal, owner, operation }) =>
    principal.operator === true || (operation === 'read' && owner?.id === principal.id),
  check: checkProfiles,
}

const mayWrite = ({ principal, owner }: Access): boolean =>
  owner === undefined ? principal.operator === true : owner.id === principal.id

/** A profile in the tree of a user is of that user (OMA Shared Profile XDM, data semantics). */
function checkProfiles(candidate: Candidate): void {
  checkRoot(candidate, namespace, 'user-profiles')
  if (candidate.owner === undefined) return
  const { identities } = candidate.owner
  for (const { name, attributes } of candidate.root.children) {
    const uri = attributes.find((one) => one.name === 'uri')?.value
    if (name !== 'user-profile' || identities.includes(uri ?? '')) continue
    throw new XcapConflict({ kind: 'constraint-failure', phrase: 'Wrong User Profile URI' })
  }
}
