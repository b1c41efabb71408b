import { expect, test, vi } from 'vitest'
import {
  type Anchor,
  CapabilityController,
  msrpRemote,
  type OwnMediaRequest,
  ownMsrp,
} from '../../src/media/capability/index.ts'
import { type MsrpSession, relay } from '../../src/media/msrp/index.ts'
import { type RtpRelay, remoteOf } from '../../src/media/rtp/index.ts'
import { readRtp } from '../../src/protocols/rtp/rtp-packet.ts'
import { attribute } from '../../src/protocols/sdp/attributes.ts'
import { readSdp } from '../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../src/protocols/sdp/session-description.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { Rig } from './msrp-rig.ts'
import { RtpParty } from './rtp/rtp-party.ts'
import { startPlane } from './rtp/rtp-rig.ts'

const capability = new CapabilityController()
const connection = { networkType: 'IN', addressType: 'IP4', address: '127.0.0.1' }
const origin = { username: '-', sessionId: '7', version: '1', ...connection }
const mediaOf = (session: SessionDescription, index: number) => session.media[index] as MediaDescription
const pathOf = (session: SessionDescription) => attribute(mediaOf(session, 0), 'path') as string

/** A phone with chat and voice, and its description. */
async function openPhone(rig: Rig, ssrc: number) {
  const [client, voice] = [await MsrpClient.connect({ port: rig.port() }), await RtpParty.open(ssrc)]
  const head = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n'
  const describe = (setup: string) =>
    readSdp(
      `${head}m=message 9 TCP/MSRP *\r\na=accept-types:*\r\na=path:${client.path}\r\na=setup:${setup}\r\n` +
        `m=audio ${voice.rtp.port} RTP/AVP 0\r\na=rtcp:${voice.rtcp.port}\r\n`,
    )
  return { client, voice, describe }
}

/** What a session controller does for one call: an end towards each party, of an MSRP session each and a relay of both. */
class Call {
  readonly chats: MsrpSession[] = []
  readonly #rig: Rig
  readonly #open: () => Promise<RtpRelay>
  voice: RtpRelay | undefined
  constructor(rig: Rig, open: () => Promise<RtpRelay>) {
    this.#rig = rig
    this.#open = open
  }

  towards(side: 'near' | 'far', offer: SessionDescription): Anchor {
    return {
      ...{ origin, connection },
      ownMedia: ({ kind, index }: OwnMediaRequest) => {
        if (kind === 'audio') return this.#voiceOf(side)
        const session = this.#rig.session()
        this.chats.push(session)
        return ownMsrp({ session, connection, answers: side === 'near' ? mediaOf(offer, index) : undefined })
      },
    }
  }

  async #voiceOf(side: 'near' | 'far') {
    this.voice ??= await this.#open()
    return this.voice[side]
  }
}

test('a call of chat and voice is anchored: both go through the server, and all is freed at its end', async () => {
  await using rig = await Rig.start()
  const plane = await startPlane()
  const [alice, bob] = [await openPhone(rig, 1), await openPhone(rig, 2)]
  const call = new Call(rig, () => plane.open(() => {}))

  const offer = alice.describe('actpass')
  const offered = await capability.select(offer, { policies: [], anchor: call.towards('far', offer) })
  expect(attribute(mediaOf(offered.description, 0), 'setup')).toBe('actpass')
  const answer = bob.describe('active')
  const answered = await capability.select(answer, {
    ...{ policies: [], offered: offered.description },
    anchor: call.towards('near', offer),
  })
  expect(attribute(mediaOf(answered.description, 0), 'setup')).toBe('passive')

  const [far, near] = call.chats as [MsrpSession, MsrpSession]
  await near.connect(msrpRemote(mediaOf(offer, 0), offer, 'offer'))
  await far.connect(msrpRemote(mediaOf(answer, 0), answer, 'answer'))
  relay(near, far)
  const voice = call.voice as RtpRelay
  for (const [end, said] of [
    [voice.near, offer],
    [voice.far, answer],
  ] as const) {
    const remote = remoteOf(mediaOf(said, 1), said)
    if (remote) end.expect(remote)
  }

  bob.client.send({ to: pathOf(offered.description) })
  expect((await bob.client.receive()).what).toBe('200 OK')
  alice.client.send({ to: pathOf(answered.description), body: 'hello' })
  const frame = await bob.client.receive()
  expect(frame.body?.toString()).toBe('hello')
  bob.client.respond(frame)
  expect((await alice.client.receive()).what).toBe('200 OK')
  alice.voice.rtp.send(alice.voice.packet('aah'), mediaOf(answered.description, 1).port)
  expect(readRtp((await bob.voice.rtp.receive()).packet).payload.toString()).toBe('aah')

  offered.close()
  answered.close()
  expect(rig.plane.sessions.inUse).toBe(0)
  await vi.waitFor(() => expect(plane.use.inUse).toBe(0))
  for (const phone of [alice, bob]) {
    await phone.client.close()
    phone.voice.close()
  }
})

test.each([
  ['passive', 'offer', 'active'],
  ['active', 'offer', 'passive'],
  ['actpass', 'offer', 'passive'],
  ['holdconn', 'offer', 'passive'],
  ['active', 'answer', 'passive'],
  ['passive', 'answer', 'active'],
  ['', 'answer', 'active'],
  ['', 'offer', 'passive'],
] as const)('a=setup:%s in an %s makes the server %s', (setup, by, own) => {
  const head = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n'
  const media = 'm=message 2855 TCP/TLS/MSRP *\r\na=path:msrps://x.invalid/1;tcp\r\na=fingerprint:SHA-256 AB:CD\r\n'
  const said = readSdp(`${head}${media}${setup === '' ? '' : `a=setup:${setup}\r\n`}a=msrp-cema\r\n`)
  expect(msrpRemote(mediaOf(said, 0), said, by)).toEqual({
    path: ['msrps://x.invalid/1;tcp'],
    setup: own,
    fingerprints: [{ algorithm: 'sha-256', value: 'AB:CD' }],
    address: { host: '192.0.2.1', port: 2855 },
  })
})
