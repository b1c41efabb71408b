import { MalformedSip } from './malformed-sip.ts'
import { readNameAddr } from './name-addr.ts'
import { readUri, type Uri } from './uri.ts'

/** Refer-To (RFC 3515 §2.1), and what its URI says of the request that it asks for. */
export interface ReferTo {
  readonly uri: Uri
  /** In upper case; INVITE where nothing is said (RFC 3261 §19.1.1). */
  readonly method: string
  /** The first header field of that name in the URI, decoded. */
  header(name: string): string | undefined
}

/** RFC 3515 §2.4.1: there is exactly one. Throws MalformedSip. */
export function readReferTo(values: readonly string[]): ReferTo {
  const [value] = values
  if (value === undefined || values.length > 1) throw new MalformedSip('one Refer-To is needed')
  const uri = readUri(readNameAddr(value).uri)
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips' && uri.scheme !== 'tel') throw new MalformedSip('Refer-To')
  const headers = readUriHeaders(uri.headers)
  return {
    uri,
    method: (uri.params.get('method') ?? 'INVITE').toUpperCase(),
    header: (name) => headers.get(name.toLowerCase()),
  }
}

/** `a=b&c=d`, without the question mark or with it; what is there twice counts once. */
function readUriHeaders(written: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const field of written.replace(/^\?/, '').split('&')) {
    const [name = '', ...value] = field.split('=')
    const key = unescaped(name).toLowerCase()
    if (key !== '' && !headers.has(key)) headers.set(key, unescaped(value.join('=')))
  }
  return headers
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new MalformedSip('Refer-To is not escaped as it should be')
  }
}
