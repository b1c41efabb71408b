import { MalformedMsrp } from './malformed-msrp.ts'

/** Where a session is (RFC 4975 §6); over WebSocket RFC 7977 §5. */
export interface MsrpUri {
  readonly secure: boolean
  readonly user: string | undefined
  /** Lower case; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number | undefined
  /** Tells sessions of one host apart; its case counts. */
  readonly sessionId: string | undefined
  /** Lower case: `tcp`, `ws`. */
  readonly transport: string
  /** Other parameters, each with its `;`. */
  readonly params: string
}

/** What a URI without a port means (RFC 4975 §15.4). */
export const defaultPort = 2855

const grammar =
  /^(msrps?):\/\/(?:([\w.~!$&'()*+,;=:%-]*)@)?(\[[\da-fA-F:.]{2,45}\]|[\w.~%-]{1,253})(?::(\d{1,5}))?(?:\/([\w.~+=/%-]{1,256}))?;([A-Za-z\d]{1,32})((?:;[\w!#$%&'*+.^`|~-]+(?:=[^;\s]*)?)*)$/i

/** Throws MalformedMsrp. */
export function readMsrpUri(text: string): MsrpUri {
  const found = text.length > 1024 ? null : grammar.exec(text)
  const port = found?.[4] === undefined ? undefined : Number(found[4])
  if (found === null || (port !== undefined && (port === 0 || port > 65535))) throw new MalformedMsrp('not an MSRP URI')
  return {
    secure: found[1]?.length === 5,
    user: found[2],
    host: plainHost(found[3] as string),
    port,
    sessionId: found[5],
    transport: (found[6] as string).toLowerCase(),
    params: found[7] as string,
  }
}

export function writeMsrpUri(uri: MsrpUri): string {
  const user = uri.user === undefined ? '' : `${uri.user}@`
  const host = uri.host.includes(':') ? `[${uri.host}]` : uri.host
  const port = uri.port === undefined ? '' : `:${uri.port}`
  const session = uri.sessionId === undefined ? '' : `/${uri.sessionId}`
  return `msrp${uri.secure ? 's' : ''}://${user}${host}${port}${session};${uri.transport}${uri.params}`
}

/** RFC 4975 §6.1: a port or session id only in one of the two makes them differ; user and parameters do not count. */
export function sameMsrpUri(a: MsrpUri, b: MsrpUri): boolean {
  return (
    a.secure === b.secure &&
    a.host === b.host &&
    a.port === b.port &&
    a.sessionId === b.sessionId &&
    a.transport === b.transport
  )
}

/** The URIs of a To-Path, From-Path or `a=path`. Throws MalformedMsrp. */
export function readPath(text: string): MsrpUri[] {
  return text.split(' ').map(readMsrpUri)
}

/** The session id of the first URI of a path as it stands there; undefined when there is none. */
export function sessionIdOf(path: string): string | undefined {
  return /^msrps?:\/\/[^/ ;]+\/([^; ]+);/i.exec(path)?.[1]
}

/** An IPv6 address in its one shortest form, so that two spellings are the same (RFC 5952). */
function plainHost(host: string): string {
  if (!host.startsWith('[')) return host.toLowerCase()
  try {
    return new URL(`http://${host}`).hostname.slice(1, -1)
  } catch {
    throw new MalformedMsrp('not an IPv6 address')
  }
}
