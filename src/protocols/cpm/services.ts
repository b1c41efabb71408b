import { readAcceptContact } from '../sip/accept-contact.ts'
import type { Headers } from '../sip/headers.ts'
import { splitList } from '../sip/lists.ts'
import type { Params } from '../sip/params.ts'
import { unquote } from '../sip/quoted-string.ts'

const prefix = 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.'

/** The services of OMA CPM by their IMS communication service identifiers (features 1.1). */
export const icsi = {
  message: `${prefix}msg`,
  largeMessage: `${prefix}largemsg`,
  session: `${prefix}session`,
  fileTransfer: `${prefix}filetransfer`,
  deferred: `${prefix}deferred`,
  /** What server and client say to each other about the store. */
  systemMessage: `${prefix}systemmsg`,
} as const

const featureTag = '+g.3gpp.icsi-ref'

/** The feature tag as it stands in Contact and Accept-Contact; there the identifier is percent-encoded. */
export const serviceTag = (service: string): string => `${featureTag}="${service.replaceAll(':', '%3A')}"`

/** The services that a device says it has; undefined: it does not speak of services at all. */
export function servicesOfDevice(features: Params): ReadonlySet<string> | undefined {
  const value = features.get(featureTag)
  return value === undefined ? undefined : servicesIn(value)
}

/** The services that a request names: by P-Asserted-Service, else P-Preferred-Service, else its Accept-Contact. */
export function servicesOfRequest(headers: Headers): ReadonlySet<string> {
  for (const name of ['p-asserted-service', 'p-preferred-service']) {
    if (headers.has(name)) return new Set(headers.all(name).flatMap((value) => splitList(value).map(folded)))
  }
  const services = new Set<string>()
  if (!headers.has('accept-contact')) return services
  for (const { features } of readAcceptContact(headers.all('accept-contact'))) {
    const value = features.get(featureTag)
    if (value !== undefined) for (const service of servicesIn(value)) services.add(service)
  }
  return services
}

const servicesIn = (value: string): ReadonlySet<string> => new Set(splitList(unquote(value)).map(folded))

/** Percent-encoded or not, in any case. */
const folded = (written: string): string =>
  written
    .trim()
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .toLowerCase()
