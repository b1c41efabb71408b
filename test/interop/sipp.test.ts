import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { runSipp, type Sipp, type SippResult, startSipp } from '../support/sipp.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { isInstalled } from './is-installed.ts'

type Socket = 'u1' | 't1'
const scenario = (name: string): string => join(import.meta.dirname, `${name}.xml`)
const target = (server: TestServer, socket: Socket): string =>
  `127.0.0.1:${server.address(socket === 'u1' ? 'udp' : 'tcp').port}`

/** A sipp that registers as bob with digest, and answers the messages that then come over the same socket. */
async function startDevice(server: TestServer, transport: Socket): Promise<Sipp> {
  return startSipp({
    scenario: scenario('register-and-wait'),
    outOfCall: scenario('answer'),
    target: target(server, transport),
    localPort: await freePort(),
    transport,
    calls: 1,
    trace: true,
  })
}

async function send(server: TestServer, transport: Socket, text: string, calls: number): Promise<SippResult> {
  return runSipp({
    scenario: scenario('message'),
    target: target(server, transport),
    localPort: await freePort(),
    transport,
    keys: { text },
    calls,
    rate: 20,
    trace: true,
  })
}

const count = (text: string, part: RegExp): number => text.match(part)?.length ?? 0
/** How often a body came in, told by the lines behind which sipp writes what it received. */
const receivedBodies = (trace: string, text: string): number =>
  trace.split(/^-{10,}.*$/m).filter((one) => one.includes('message received') && one.includes(`\r\n\r\n${text}`)).length

describe.skipIf(!isInstalled('sipp'))('sipp', () => {
  test.each(['u1', 't1'] as const)('registers with digest and gets messages (%s)', async (transport) => {
    await using server = await startServer()
    const device = await startDevice(server, transport)
    const witness = await server.phone('bob')
    const isThere = async () => {
      const fetched = await witness.register({ headers: { Contact: undefined, Expires: undefined } })
      expect(fetched.all('Contact').join()).toContain('<sip:bob@127.0.0.1')
    }
    await eventually(isThere)
    const sent = await send(server, transport, 'present', 10)
    const received = await device.stop()
    expect([sent.successful, sent.failed, sent.errors]).toEqual([10, 0, ''])
    expect(count(sent.trace, /SIP\/2\.0 200 /g)).toBe(10)
    expect(receivedBodies(received.trace, 'present')).toBe(10)
  })

  test.each(['u1', 't1'] as const)('is away, and gets on return what was sent meanwhile (%s)', async (transport) => {
    await using server = await startServer()
    const sent = await send(server, transport, 'while away', 10)
    expect([sent.successful, sent.failed, sent.errors]).toEqual([10, 0, ''])
    expect(count(sent.trace, /SIP\/2\.0 202 /g)).toBe(10)
    const device = await startDevice(server, transport)
    const alice = await server.phone('alice')
    // once the queue is empty, a new message finds the device present and comes last
    await eventually(async () => expect((await alice.message(server.aor('bob'), 'marker')).status).toBe(200))
    const waiting = 'select count(*)::int as waiting from deferred'
    await eventually(async () => expect(await server.query(waiting)).toEqual([{ waiting: 0 }]))
    const received = await device.stop()
    for (let call = 1; call <= 10; call++) expect(receivedBodies(received.trace, `while away ${call}\r\n`)).toBe(1)
  })
})
