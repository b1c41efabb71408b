import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { MediaBridge } from '../../src/media/bridge/index.ts'
import { MsrpEnd } from '../../src/media/bridge/msrp-end.ts'
import { CapabilityController } from '../../src/media/capability/index.ts'
import type { MsrpSession, Remote } from '../../src/media/msrp/index.ts'
import type { RtpEngine, RtpMedia, Side } from '../../src/media/rtp/index.ts'
import { readSdp } from '../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription } from '../../src/protocols/sdp/session-description.ts'
import { Rig } from './msrp-rig.ts'

/** Stands for a relay: says what is asked of it, line by line. */
class Engine implements RtpEngine {
  readonly said: string[] = []
  readonly lines = new Set<number>()
  /** What the next question is answered with, where that is a failure. */
  failing: 'offer' | 'answer' | undefined
  limit = 10
  /** Runs while an offer is worked out. */
  meanwhile: () => void = () => {}
  #opened = 0

  get use() {
    return { inUse: this.lines.size, peak: this.#opened, limit: this.limit }
  }

  async open(): Promise<RtpMedia> {
    if (this.lines.size === this.limit) throw new Failure('overloaded', 'full', { retryAfter: 5 })
    const line = ++this.#opened
    this.lines.add(line)
    const describe = async (what: 'offer' | 'answer', from: Side, media: MediaDescription) => {
      this.said.push(`${what} ${line} ${from}`)
      if (this.failing === what) throw new Failure('overloaded', 'gone')
      this.meanwhile()
      return { ...media, port: 1000 * line + (from === 'caller' ? 2 : 4) }
    }
    return {
      offer: (from, media) => describe('offer', from, media),
      answer: (from, media) => describe('answer', from, media),
      reject: () => void this.said.push(`reject ${line}`),
      mute: () => {},
      close: () => void (this.lines.delete(line) && this.said.push(`close ${line}`)),
    }
  }

  async close(): Promise<void> {}
}

const capability = new CapabilityController()
const audio = (port: number) => `m=audio ${port} RTP/AVP 0\r\n`
const video = (port: number) => `m=video ${port} RTP/AVP 34\r\n`
const chat = (port: number) =>
  `m=message ${port} TCP/MSRP *\r\na=path:msrp://x.invalid:9/1;tcp\r\na=setup:active\r\na=accept-types:*\r\n`

function said(media: string, version = 1): Buffer {
  const head = `v=0\r\no=- 5 ${version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n`
  return Buffer.from(`${head}${media}`)
}

const portsOf = (body: Buffer) => readSdp(body).media.map(({ port }) => port)

async function withBridge(use: (bridge: MediaBridge, engine: Engine, rig: Rig) => Promise<void>): Promise<void> {
  await using rig = await Rig.start()
  const engine = new Engine()
  const bridge = new MediaBridge({
    ...{ capability, msrp: rig.plane, rtp: engine, host: '127.0.0.1', anchored: true, policies: [] },
  })
  await use(bridge, engine, rig)
  bridge.close()
  expect(engine.lines.size).toBe(0)
  expect(rig.plane.sessions.inUse).toBe(0)
}

test('an offer and its answer are of one line, which either side may offer again', () =>
  withBridge(async (bridge, engine) => {
    expect(portsOf(await bridge.offer('caller', said(audio(4000))))).toEqual([1002])
    expect(portsOf(await bridge.answer(said(audio(5000))))).toEqual([1004])
    await bridge.offer('callee', said(audio(5002), 2))
    await bridge.answer(said(audio(4002), 2))
    expect(engine.said).toEqual(['offer 1 caller', 'answer 1 callee', 'offer 1 callee', 'answer 1 caller'])
  }))

test('an offer that comes to nothing frees what it added, and leaves the rest as it was', () =>
  withBridge(async (bridge, engine) => {
    await bridge.offer('caller', said(audio(4000)))
    await bridge.answer(said(audio(5000)))
    await bridge.offer('caller', said(audio(4002) + video(4004), 2))
    engine.said.length = 0
    bridge.reject()
    expect(engine.said).toEqual(['reject 1', 'reject 2', 'close 2'])
  }))

test('an offer that cannot be served takes nothing, and takes back what was said of the lines before', () =>
  withBridge(async (bridge, engine) => {
    await bridge.offer('caller', said(audio(4000)))
    await bridge.answer(said(audio(5000)))
    engine.limit = 1
    await expect(bridge.offer('caller', said(audio(4002) + video(4004), 2))).rejects.toThrow('overloaded')
    expect([...engine.lines]).toEqual([1])
    expect(engine.said.at(-1)).toBe('reject 1')
    await bridge.offer('callee', said(audio(5000)))
    await bridge.answer(said(audio(4000)))
  }))

test.each(['offer', 'answer'] as const)('an engine that fails at the %s leaves nothing behind', (what) =>
  withBridge(async (bridge, engine, rig) => {
    engine.failing = what
    const exchange = async () => {
      await bridge.offer('caller', said(chat(9) + audio(4000)))
      await bridge.answer(said(chat(9) + audio(5000)))
    }
    await expect(exchange()).rejects.toThrow('overloaded')
    expect(engine.lines.size).toBe(0)
    expect(rig.plane.sessions.inUse).toBe(0)
  }),
)

test('lines that the answer refuses are free at once, and are new when they are offered again', () =>
  withBridge(async (bridge, engine, rig) => {
    await bridge.offer('caller', said(chat(9) + audio(4000) + video(4002)))
    expect(portsOf(await bridge.answer(said(chat(0) + audio(5000) + video(0))))).toEqual([0, 1004, 0])
    expect([...engine.lines]).toEqual([1])
    expect(rig.plane.sessions.inUse).toBe(0)
    await bridge.offer('callee', said(chat(9) + audio(5000) + video(5002), 2))
    expect(portsOf(await bridge.answer(said(chat(9) + audio(4000) + video(4002), 2))).slice(1)).toEqual([1002, 3002])
    expect([...engine.lines]).toEqual([1, 3])
    expect(rig.plane.sessions.inUse).toBe(2)
  }))

test('another transport of the same media is another line', () =>
  withBridge(async (bridge, engine) => {
    await bridge.offer('caller', said(audio(4000)))
    await bridge.answer(said(audio(5000)))
    const secure = (port: number) => audio(port).replace('RTP/AVP', 'RTP/SAVP')
    await bridge.offer('caller', said(secure(4000), 2))
    expect([...engine.lines]).toEqual([1, 2])
    await bridge.answer(said(secure(5000), 2))
    expect([...engine.lines]).toEqual([2])
  }))

test.each(['offer', 'answer'] as const)('a session that ends while the %s is worked out holds nothing', (what) =>
  withBridge(async (bridge, engine) => {
    if (what === 'answer') await bridge.offer('caller', said(audio(4000)))
    engine.meanwhile = () => bridge.close()
    if (what === 'offer') await bridge.offer('caller', said(audio(4000)))
    else await bridge.answer(said(audio(5000)))
    expect(engine.lines.size).toBe(0)
  }),
)

test('media that are neither messages nor RTP go from party to party', () =>
  withBridge(async (bridge, engine) => {
    const floor = 'm=application 7000 UDP/BFCP *\r\n'
    const offered = await bridge.offer('caller', said(audio(4000) + floor))
    expect(offered.toString()).toContain(`${floor}c=IN IP4 192.0.2.1\r\n`)
    await bridge.answer(said(audio(5000) + floor))
    expect(engine.lines.size).toBe(1)
  }))

test('a floor is refused where there is no floor server', () =>
  withBridge(async (bridge) => {
    const offered = await bridge.offer('caller', said(`${audio(4000)}m=application 7000 udp TBCP\r\n`))
    expect(portsOf(offered)).toEqual([1002, 0])
  }))

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
  const remotes: Remote[] = []
  const session = { path: 'msrps://127.0.0.1:1/2;tcp', connect: async (remote: Remote) => void remotes.push(remote) }
  const end = new MsrpEnd({
    ...{ session: session as unknown as MsrpSession, index: 0, facing: { answering: undefined } },
    ...{ fingerprint: undefined, onGone: () => {} },
  })
  const lines = 'm=message 2855 TCP/TLS/MSRP *\r\na=path:msrps://x.invalid/1;tcp\r\na=fingerprint:SHA-256 AB:CD\r\n'
  const described = readSdp(said(`${lines}${setup === '' ? '' : `a=setup:${setup}\r\n`}a=msrp-cema\r\n`))
  end.join(described.media[0] as MediaDescription, described, by === 'answer')
  expect(remotes).toMatchObject([
    {
      path: ['msrps://x.invalid/1;tcp'],
      setup: own,
      fingerprints: [{ algorithm: 'sha-256', value: 'AB:CD' }],
      address: { host: '192.0.2.1', port: 2855 },
    },
  ])
})
