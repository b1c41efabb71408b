import type { Warning } from '../../failure.ts'

/** What a refusal says of its reason (RFC 3261 §20.43); 133 is what RCS clients know for a size that is not allowed. */
export const incompatibleNetwork = (type: string): Warning => ({ code: 300, text: `network type ${type}` })
export const incompatibleAddress = (type: string): Warning => ({ code: 301, text: `address type ${type}` })
export const incompatibleTransport = (media: string, protocol: string): Warning => ({
  code: 302,
  text: `${media} over ${protocol}`,
})
export const notAvailable = (kind: string): Warning => ({ code: 304, text: `${kind} is not permitted` })
export const incompatibleFormat = (media: string, formats: string): Warning => ({
  code: 305,
  text: `no permitted ${media} format in ${formats}`,
})
export const missingAttribute = (media: string, name: string): Warning => ({
  code: 306,
  text: `${media} without a=${name}`,
})
export const multicastNotAvailable = (address: string): Warning => ({ code: 330, text: `multicast ${address}` })
export const insufficientBandwidth = (kind: string): Warning => ({ code: 370, text: `no bandwidth for ${kind}` })
export const miscellaneous = (text: string): Warning => ({ code: 399, text })
export const sizeExceeded: Warning = { code: 133, text: 'Size exceeded' }
