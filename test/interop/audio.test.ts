import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { Baresip } from '../support/baresip.ts'
import { eventually } from '../support/eventually.ts'
import { Linphone } from '../support/linphone.ts'
import { RtpengineProcess } from '../support/rtpengine.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { hear, readWav, type Sound, tone, writeWav } from '../support/tone.ts'
import { isInstalled } from './is-installed.ts'

type Engine = 'embedded' | 'rtpengine'
type Transport = 'udp' | 'tcp'

interface Hearing {
  heard(): Promise<Sound>
}

/** Seconds of the other party's tone that each must have heard. */
const enough = 2
const [high, low] = [1_000, 440]

async function startOn(engine: Engine): Promise<TestServer> {
  if (engine === 'embedded') return startServer({ settings })
  const rtpengine = await RtpengineProcess.start()
  onTestFinished(() => rtpengine[Symbol.asyncDispose]())
  const media = { 'media.rtp': 'rtpengine', 'media.rtpengine': `127.0.0.1:${rtpengine.port}` }
  return startServer({ settings: { ...settings, ...media } })
}

/** baresip 1.0 gives up at a challenge that it does not know, also where one that it knows is beside it. */
const settings = { 'sip.auth.algorithms': 'MD5' }

function baresip(server: TestServer, user: string, transport: Transport, tone: number): Promise<Baresip> {
  const place = server.address(transport)
  return Baresip.start({ user, password: passwordOf(user), domain: server.domain, place, tone })
}

/** Resolves when both have heard enough of the other. */
const bothHear = (alice: Hearing, bob: Hearing): Promise<void> =>
  eventually(async () => {
    expect(hear(low, await alice.heard()).seconds).toBeGreaterThan(enough)
    expect(hear(high, await bob.heard()).seconds).toBeGreaterThan(enough)
  })

/** alice says the high tone and bob the low one: each has heard the other's, hardly interrupted, and not its own. */
async function expectTones(alice: Hearing, bob: Hearing): Promise<void> {
  for (const [party, frequency, own] of [
    [alice, low, high],
    [bob, high, low],
  ] as const) {
    const sound = await party.heard()
    const { seconds, gaps } = hear(frequency, sound)
    expect(seconds).toBeGreaterThan(enough)
    expect(gaps).toBeLessThan(seconds / 5)
    expect(hear(own, sound).seconds).toBe(0)
  }
}

async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    for (const name of ['sessions', 'rtp_ports']) expect(await server.metric(`parley_${name}`)).toBe(0)
  })
}

describe.skipIf(!isInstalled('baresip') || !isInstalled('rtpengine'))('baresip', () => {
  test.each([
    ['embedded', 'udp', 'tcp'],
    ['embedded', 'tcp', 'udp'],
    ['rtpengine', 'udp', 'tcp'],
  ] as const)('over %s, alice on %s and bob on %s: each hears the tone of the other', async (engine, one, other) => {
    await using server = await startOn(engine)
    await using alice = await baresip(server, 'alice', one, high)
    await using bob = await baresip(server, 'bob', other, low)
    alice.call(bob.aor)
    await bothHear(alice, bob)
    alice.hangUp()
    await bob.prints(/terminated/)
    await expectTones(alice, bob)
    await expectNothingHeld(server)
  })
})

describe.skipIf(!isInstalled('linphonec') || !isInstalled('rtpengine'))('linphone-cli', () => {
  test.each(['embedded', 'rtpengine'] as const)('over %s: each hears the tone of the other', async (engine) => {
    await using server = await startOn(engine)
    await using alice = await Voice.start(server, 'alice', high)
    await using bob = await Voice.start(server, 'bob', low)
    alice.phone.command(`call ${bob.phone.aor}`)
    await bob.phone.prints(/Receiving new incoming call|is contacting you/)
    bob.phone.command('answer')
    await bothHear(alice, bob)
    alice.phone.command('terminate')
    await bob.phone.prints(/LinphoneCallReleased/)
    await expectTones(alice, bob)
    await expectNothingHeld(server)
  })
})

/** A linphonec without sound devices: it says a file, and writes down what it hears. */
class Voice implements AsyncDisposable {
  readonly phone: Linphone
  readonly #folder: string

  static async start(server: TestServer, user: string, frequency: number): Promise<Voice> {
    const folder = await mkdtemp(join(tmpdir(), 'linphone-voice-'))
    await writeFile(join(folder, 'said.wav'), writeWav(tone(frequency, 60)))
    const place = server.address('tcp')
    const phone = await Linphone.start({ user, password: passwordOf(user), domain: server.domain, place })
    await phone.prints(/to \[LinphoneRegistrationOk\]/)
    phone.command('soundcard use files')
    phone.command(`play ${join(folder, 'said.wav')}`)
    phone.command(`record ${join(folder, 'heard.wav')}`)
    return new Voice(phone, folder)
  }

  constructor(phone: Linphone, folder: string) {
    this.phone = phone
    this.#folder = folder
  }

  /** In Opus, which is what two of them agree on. */
  async heard(): Promise<Sound> {
    return readWav(await readFile(join(this.#folder, 'heard.wav')).catch(() => Buffer.alloc(0)), 48_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.phone[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
