/** The services that a client tells apart (spec/1 §7), by their ICSI (3GPP TS 24.229, OMA CPM). */
export const icsi = {
  message: 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg',
  session: 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session',
} as const

export type Service = keyof typeof icsi

/** As a feature tag; the values are percent-encoded (RFC 6809 §4.1 and TS 24.229 §7.2A.8). */
export const featureTag = (services: readonly Service[]): string =>
  `+g.3gpp.icsi-ref="${services.map((service) => icsi[service].replaceAll(':', '%3A')).join(',')}"`
