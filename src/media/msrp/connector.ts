import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Failure } from '../../failure.ts'
import { defaultPort, type MsrpUri } from '../../protocols/msrp/msrp-uri.ts'
import { type Fingerprint, showsOneOf } from './fingerprint.ts'
import type { MsrpTls } from './listener.ts'

/** Where to connect to, and whom to find there. */
export interface Peer {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly fingerprints: readonly Fingerprint[] | undefined
}

/** `address` goes before what the URI says (RFC 6714). */
export function peerOf(
  uri: MsrpUri,
  fingerprints: readonly Fingerprint[] | undefined,
  address: { readonly host: string; readonly port: number } | undefined,
): Peer {
  if (uri.transport !== 'tcp') throw new Failure('unreachable', 'only the peer can open a WebSocket')
  const { host, port } = address ?? { host: uri.host, port: uri.port ?? defaultPort }
  return { host, port, secure: uri.secure, fingerprints }
}

/** Connections to the same peer are one, when they are to show the same certificate (RFC 4975 §5.4). */
export const keyOf = ({ host, port, secure, fingerprints }: Peer): string =>
  JSON.stringify([host, port, secure, fingerprints?.map(({ algorithm, value }) => `${algorithm} ${value}`).sort()])

/** An open connection to the peer, who has shown the certificate that it should. Rejects with Failure('unreachable'). */
export async function openSocket(peer: Peer, tls: MsrpTls | undefined, within: number): Promise<Socket> {
  const { host, port, secure, fingerprints } = peer
  const secured = {
    ...tls,
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: fingerprints === undefined, // without fingerprint an authority must vouch for it: RFC 4975 §14.1
  }
  const socket = secure ? connectTls({ host, port, ...secured }) : connectTcp({ host, port })
  const patience = setTimeout(() => socket.destroy(new Error('no answer')), within)
  try {
    await once(socket, secure ? 'secureConnect' : 'connect')
  } catch (cause) {
    socket.destroy()
    throw new Failure('unreachable', `${host}:${port}`, { cause })
  } finally {
    clearTimeout(patience)
  }
  if (!secure || fingerprints === undefined || showsOneOf(socket, fingerprints)) return socket
  socket.destroy()
  throw new Failure('unreachable', `${host}:${port} showed another certificate than announced`)
}
