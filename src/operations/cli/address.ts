import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import { readUri } from '../../protocols/sip/uri.ts'
import { UsageFault } from './usage.ts'

/** `alice` is sip:alice@domain, `+15550001` is tel:+15550001, `alice@other.test` is sip:alice@other.test. */
export function fullAddress(text: string, domain: string): string {
  if (/^(sips?|tel):/i.test(text)) return text
  if (/^\+[\d.()-]+$/.test(text)) return `tel:${text}`
  return text.includes('@') ? `sip:${text}` : `sip:${text}@${domain}`
}

/** The URI, if it is one. */
export function checkedUri(text: string): string {
  try {
    readUri(text)
    return text
  } catch (err) {
    if (err instanceof MalformedSip) throw new UsageFault(`${JSON.stringify(text)}: ${err.message}`)
    throw err
  }
}

interface Listening {
  readonly transport: string
  readonly address: string
  readonly port: number
}

/** The transports a client can use from here, best first: streams take messages of any length. */
const preferred = ['tcp', 'udp', 'tls', 'ws', 'wss']

/** Where a client on this machine finds the server that listens there; undefined when no port is known. */
export function serverUri(listen: readonly Listening[]): string | undefined {
  const order = (one: Listening) => preferred.indexOf(one.transport)
  const [best] = listen.filter(({ port }) => port !== 0).sort((a, b) => order(a) - order(b))
  return best && `sip:${bracketed(reachable(best.address))}:${best.port};transport=${best.transport}`
}

const reachable = (address: string) => ({ '0.0.0.0': '127.0.0.1', '::': '::1' })[address] ?? address

const bracketed = (address: string) => (address.includes(':') ? `[${address}]` : address)

/** `udp:127.0.0.1:5060`. */
export function writeListening(listening: Omit<Listening, 'transport'>, transport?: string): string {
  return `${transport === undefined ? '' : `${transport}:`}${bracketed(listening.address)}:${listening.port}`
}
