/** Pieces of the grammar of RFC 8866 §9 as sources of regular expressions; each matches in linear time. */
export const token = "[!#-'*+\\-.0-9A-Z^-~]+"
/** non-ws-string. */
export const nonSpace = '[!-~\\x80-\\xff]+'

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const name = /^[0-9A-Za-z.-]{4,255}$/
const multicast = /^(2(?:2[4-9]|3\d)\.[\d.]+)\/(\d{1,3})(?:\/([1-9]\d{0,4}))?$/

export const isIpv4 = (text: string): boolean => ipv4.test(text)

/** An IPv6 address as RFC 8866 writes it (IP6-address): no zone, no brackets. */
export function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (text.length > 45 || halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const mapped = last.includes('.')
  if (mapped && (!isIpv4(last) || text.endsWith('::'))) return false
  const count = groups.length + (mapped ? 1 : 0)
  const hex = mapped ? groups.slice(0, -1) : groups
  return (halves.length === 2 ? count < 8 : count === 8) && hex.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))
}

/** Whether `address` may stand after `networkType addressType` in an o= line: unicast-address. */
export function isUnicast(networkType: string, addressType: string, address: string): boolean {
  if (networkType !== 'IN') return true // extn-addr: whatever that network says
  if (addressType === 'IP4') return isIpv4(address) || isName(address)
  if (addressType === 'IP6') return isIpv6(address) || isName(address)
  return true
}

/** Digits and dots alone are an address that went wrong, not a name. */
const isName = (text: string): boolean => name.test(text) && !/^[\d.]+$/.test(text)

/** Whether `address` may stand in a c= line: connection-address, with time to live and count for multicast. */
export function isConnectionAddress(networkType: string, addressType: string, address: string): boolean {
  if (!address.includes('/') || networkType !== 'IN') return isUnicast(networkType, addressType, address)
  if (addressType === 'IP6') return isMulticast6(address)
  const [, group, ttl] = multicast.exec(address) ?? []
  return group !== undefined && isIpv4(group) && Number(ttl) <= 255
}

function isMulticast6(address: string): boolean {
  const [group = '', count = '', ...more] = address.split('/')
  return /^ff/i.test(group) && isIpv6(group) && /^[1-9]\d{0,4}$/.test(count) && more.length === 0
}
