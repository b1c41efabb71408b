import { freePort } from './free-port.ts'
import { startServer, type TestServer } from './start-server.ts'

/** Two servers, each on an address of its own, which route to each other and trust each other, but not the phones. */
export async function startTwo(
  transport: 'udp' | 'tcp',
  more: Readonly<Record<string, string>> = {},
): Promise<[TestServer, TestServer]> {
  const here = { address: '127.0.0.2', port: await freePort('127.0.0.2') }
  const there = { address: '127.0.0.3', port: await freePort('127.0.0.3') }
  const settings = (own: typeof here, other: typeof here, domain: string) => ({
    'sip.listen': `udp:${own.address}:${own.port},tcp:${own.address}:${own.port}`,
    'sip.routes': `${domain}=sip:${other.address}:${other.port};transport=${transport}`,
    'sip.trustedPeers': `${other.address},127.0.0.1`, // from the latter a connection to the other comes
    ...more,
  })
  const parley = startServer({ settings: settings(here, there, 'other.test') })
  const other = startServer({ domain: 'other.test', settings: settings(there, here, 'parley.test') })
  return [await parley, await other]
}

/** Where the phones are: not where the servers are. */
export const elsewhere = { localAddress: '127.0.0.9' }
