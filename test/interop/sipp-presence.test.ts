import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { pidf, publish, tuple } from '../support/presence.ts'
import { type SippOptions, startSipp } from '../support/sipp.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { isInstalled } from './is-installed.ts'

type Socket = 'u1' | 't1'

async function sippTo(server: TestServer, transport: Socket, name: string, more: Partial<SippOptions> = {}) {
  return await startSipp({
    scenario: join(import.meta.dirname, 'sipp', `${name}.xml`),
    target: `127.0.0.1:${server.address(transport === 'u1' ? 'udp' : 'tcp').port}`,
    localPort: await freePort(),
    transport,
    timeoutSeconds: 40,
    ...more,
  })
}

describe.skipIf(!isInstalled('sipp'))('sipp', () => {
  test.each(['u1', 't1'] as const)('publishes, refreshes, modifies and removes (%s)', async (transport) => {
    await using server = await startServer()
    const { done } = await sippTo(server, transport, 'publish', { calls: 20, rate: 20 })
    const { successful, failed, errors } = await done
    expect([successful, failed, errors]).toEqual([20, 0, ''])
    expect(await server.query('select * from publications')).toEqual([])
  })

  test.each(['u1', 't1'] as const)(
    'subscribes, is told of changes, refreshes and unsubscribes (%s)',
    async (transport) => {
      await using server = await startServer({ settings: { 'subscriptions.ofUser': '20' } })
      const { done } = await sippTo(server, transport, 'subscribe', { calls: 20, rate: 50 })
      await eventually(async () => expect(await server.metric('parley_subscriptions')).toBe(20))
      const alice = await server.phone('alice')
      expect((await publish(alice, pidf(alice.aor, tuple('told-to-sipp')))).status).toBe(200)
      const { successful, failed, errors } = await done
      expect([successful, failed, errors]).toEqual([20, 0, ''])
      await eventually(async () => expect(await server.metric('parley_subscriptions')).toBe(0))
      await eventually(async () => expect(await server.query('select * from subscriptions')).toEqual([]))
    },
  )
})
