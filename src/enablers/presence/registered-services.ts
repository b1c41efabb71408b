import type { PresencePart } from '../../protocols/pidf/pidf.ts'
import type { Params } from '../../protocols/sip/params.ts'
import { escapeAttribute } from '../../protocols/xml/references.ts'

interface Device {
  readonly device: string
  readonly features: Params
}

/** Services of CPM by what a device registers, and by what presence calls them (OMA presence, service-id). */
const services = [
  ['oma.cpm.msg', 'org.openmobilealliance:StandaloneMsg', '2.0'],
  ['oma.cpm.session', 'org.openmobilealliance:ChatSession', '2.0'],
  ['oma.cpm.filetransfer', 'org.openmobilealliance:File-Transfer', '1.0'],
] as const

/** What the registrations of a user say of their presence: reachable or not, and for which services. */
export function registeredServices(aor: string, devices: readonly Device[]): PresencePart[] {
  const contact = `<contact>${escapeAttribute(aor)}</contact>`
  const basic = `<status><basic>${devices.length > 0 ? 'open' : 'closed'}</basic></status>`
  const offered = services.filter(([tag]) => devices.some(({ features }) => registers(features, tag)))
  return [
    tuple('registration', `${basic}${contact}`),
    ...offered.map(([tag, id, version]) => tuple(tag, `${basic}${describe(id, version)}${contact}`)),
  ]
}

const tuple = (id: string, content: string): PresencePart => ({
  kind: 'tuple',
  id,
  xml: `<tuple xmlns="urn:ietf:params:xml:ns:pidf" id="${id}">${content}</tuple>`,
})

const describe = (id: string, version: string): string =>
  '<service-description xmlns="urn:oma:xml:prs:pidf:oma-pres">' +
  `<service-id>${id}</service-id><version>${version}</version></service-description>`

/** Percent-encoded in the tag or not; `oma.cpm.msg` is another one than `oma.cpm.msg.group`. */
function registers(features: Params, tag: string): boolean {
  const value = features.get('+g.3gpp.icsi-ref') ?? ''
  return new RegExp(`${tag.replaceAll('.', '\\.')}(?![\\w.])`, 'i').test(value)
}
