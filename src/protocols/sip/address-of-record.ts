import { digitsOf, readUri, type Uri, unescaped } from './uri.ts'

/**
 * The canonical identity that a URI names, so that two spellings of one user compare as strings (RFC 3261 §10.3 step 5,
 * RFC 3966 §4): `sip:alice@parley.test`, `tel:+15550001`, `sip:+15550001@parley.test`. Undefined when it names none.
 */
export function addressOfRecord(text: string): string | undefined {
  try {
    return addressOfUri(readUri(text))
  } catch {
    return undefined
  }
}

/** The same, of a URI that is read already. */
export function addressOfUri(uri: Uri): string | undefined {
  if (uri.scheme === 'tel') return telephone(uri)
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return undefined
  const host = uri.host.toLowerCase()
  return uri.user === undefined ? `sip:${host}` : `sip:${canonicalUser(uri.user)}@${host}`
}

function telephone(uri: Uri): string {
  const number = `tel:${digitsOf(uri.user as string)}`
  const context = uri.params.get('phone-context')
  return context === undefined || number.startsWith('tel:+')
    ? number
    : `${number};phone-context=${context.toLowerCase()}`
}

const globalNumber = /^\+[0-9\-.()]+(?:;|$)/

/** The user part; a global number loses its visual separators and its own parameters, `user=phone` or not. */
function canonicalUser(user: string): string {
  const plain = userUnescaped(user)
  if (!globalNumber.test(plain)) return plain
  const semicolon = plain.indexOf(';')
  return digitsOf(semicolon === -1 ? plain : plain.slice(0, semicolon))
}

/** As `unescaped`, and of what the user part alone may hold plain (user-unreserved of RFC 3261 §25.1). */
function userUnescaped(user: string): string {
  if (!user.includes('%')) return user
  return unescaped(user).replace(/%(?:26|3D|2B|24|2C|3B|3F|2F)/g, (written) =>
    String.fromCharCode(Number.parseInt(written.slice(1), 16)),
  )
}

/** The tel: form of an address of record whose user part is a global number; undefined for any other. */
export function telephoneOf(aor: string): string | undefined {
  if (aor.startsWith('tel:')) return aor
  const [, number] = /^sip:(\+[0-9]+)@/.exec(aor) ?? []
  return number === undefined ? undefined : `tel:${number}`
}

/** The domain of a canonical address; a tel: URI has none. */
export function domainOf(address: string): string | undefined {
  if (!address.startsWith('sip:')) return undefined
  const at = address.lastIndexOf('@')
  return address.slice(at === -1 ? 4 : at + 1)
}
