/** The domain of a canonical address; a tel: URI has none. */
export function domainOf(address: string): string | undefined {
  if (!address.startsWith('sip:')) return undefined
  const at = address.lastIndexOf('@')
  return address.slice(at === -1 ? 4 : at + 1)
}
