import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { runSipp, type SippResult, startSipp } from '../support/sipp.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { isInstalled } from './is-installed.ts'

const scenario = (name: string): string => join(import.meta.dirname, 'sipp', `${name}.xml`)

interface Load {
  readonly calls?: number
  /** Calls a second. */
  readonly rate?: number
}

/** alice and bob, each a sipp that has registered from the port where it now calls or waits; what each says of its calls. */
async function callEachOther(
  server: TestServer,
  [caller, callee]: readonly [caller: string, callee: string],
  { calls = 1, rate = 10 }: Load = {},
): Promise<{ readonly alice: SippResult; readonly bob: SippResult }> {
  const target = `127.0.0.1:${server.address('udp').port}`
  const [alicePort, bobPort] = [await freePort(), await freePort()]
  await register(target, 'alice', alicePort)
  await register(target, 'bob', bobPort)
  const bob = await startSipp({ scenario: scenario(callee), target, localPort: bobPort, calls, timeoutSeconds: 60 })
  const alice = await runSipp({
    ...{
      scenario: scenario(caller),
      target,
      localPort: alicePort,
      calls,
      rate,
      timeoutSeconds: 60,
      trace: calls === 1,
    },
  })
  return { alice, bob: await bob.done }
}

async function register(target: string, user: string, localPort: number): Promise<void> {
  const { successful, errors } = await runSipp({
    ...{ scenario: scenario('register'), target, localPort, calls: 1, users: [injected(user)] },
  })
  expect([successful, errors]).toEqual([1, ''])
}

const injected = (user: string) => `${user};[authentication username=${user} password=${user}-secret]`

const outcome = ({ successful, failed, errors }: SippResult) => ({ successful, failed, errors })
const good = (successful: number) => ({ successful, failed: 0, errors: '' })

/** Nothing is held any more. */
async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    expect(await server.metric('parley_sessions')).toBe(0)
    expect(await server.metric('parley_msrp_sessions')).toBe(0)
  })
}

describe.skipIf(!isInstalled('sipp'))('two sipp', () => {
  test.each([
    ['a call that the caller ends', 'uac', 'uas'],
    ['a call that the callee ends', 'uac-hears-bye', 'uas-ends'],
    ['a re-INVITE of the caller', 'uac-reinvites', 'uas-reinvited'],
    ['a re-INVITE of the callee', 'uac-reinvited', 'uas-reinvites'],
    ['a CANCEL while it rings', 'uac-cancels', 'uas-cancelled'],
    ['a callee who is busy', 'uac-busy', 'uas-busy'],
    ['provisional responses that are acknowledged', 'uac-100rel', 'uas-100rel'],
    ['a session interval that is too brief, and a refresh of the caller', 'uac-too-brief', 'uas'],
    ['offers of both that cross: the later one is refused', 'uac-reinvites', 'uas-glare'],
    ['an offer that is refused because it crossed another, and made again', 'uac-tries-again', 'uas-refuses-glare'],
  ])('%s', async (_, caller, callee) => {
    await using server = await startServer()
    const { alice, bob } = await callEachOther(server, [caller, callee])
    expect({ alice: outcome(alice), bob: outcome(bob) }, alice.trace).toEqual({ alice: good(1), bob: good(1) })
    await expectNothingHeld(server)
  })

  test.each([
    ['the caller', 'uac-refreshed', 'uas'],
    ['the callee', 'uac-hears-bye', 'uas-refreshed'],
  ])('the server refreshes the session for %s', async (_, caller, callee) => {
    await using server = await startServer({ settings: { 'session.minExpires': '2' } })
    const { alice, bob } = await callEachOther(server, [caller, callee])
    expect({ alice: outcome(alice), bob: outcome(bob) }, alice.trace).toEqual({ alice: good(1), bob: good(1) })
    await expectNothingHeld(server)
  })

  test.each(['always', 'never'])('200 calls at 50 a second, session.mediaAnchor %s', async (mediaAnchor) => {
    const settings = { 'session.mediaAnchor': mediaAnchor, 'sip.limits.requestsPerSecond': '0' }
    await using server = await startServer({ settings })
    const { alice, bob } = await callEachOther(server, ['uac', 'uas'], { calls: 200, rate: 50 })
    expect({ alice: outcome(alice), bob: outcome(bob) }).toEqual({ alice: good(200), bob: good(200) })
    await expectNothingHeld(server)
  })
})
