import { stringValue } from '../../../protocols/xml/string-value.ts'
import { type ApplicationUsage, type Candidate, usualAccess } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'
import { checkRoot } from './root-element.ts'

const namespace = 'urn:oma:xml:prs:pres-content'

/** Pictures of a user, such as `oma_status-icon/rcs_status_icon`, that their presence refers to (OMA Presence Content XDM). */
export const presContent: ApplicationUsage = {
  auid: 'org.openmobilealliance.pres-content',
  contentType: 'application/vnd.oma.pres-content+xml',
  namespace,
  namespaces: [namespace],
  schema: 'pres-content.xsd',
  names: (document, tree) => tree === 'users' && /^[^/]+\/[^/]+$/.test(document),
  permits: usualAccess,
  check: checkContent,
}

const mediaType = /^[\w.+-]+\/[\w.+-]+$/

/** Icons are images. */
function checkContent(candidate: Candidate): void {
  checkRoot(candidate, namespace, 'content')
  const type = candidate.root.children.find(({ name }) => name === 'mime-type')
  const said = type === undefined ? '' : stringValue(candidate.text, type).trim()
  const isIcon = candidate.key.name.startsWith('oma_status-icon/')
  if (mediaType.test(said) && (!isIcon || said.toLowerCase().startsWith('image/'))) return
  throw new XcapConflict({ kind: 'constraint-failure', phrase: 'mime-type is not that of an image' })
}
