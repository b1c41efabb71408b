import { describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { CapabilityController } from '../../src/media/capability/capability-controller.ts'
import type { MediaKind, MediaPolicy } from '../../src/media/capability/media-policy.ts'
import type { Anchor, OwnMediaRequest } from '../../src/media/capability/own-media.ts'
import type { Selection } from '../../src/media/capability/selection.ts'
import { attribute } from '../../src/protocols/sdp/attributes.ts'
import { withMsrpMedia } from '../../src/protocols/sdp/msrp-media.ts'
import { readSdp } from '../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../src/protocols/sdp/session-description.ts'
import { sdpText } from '../../src/protocols/sdp/write-sdp.ts'
import { replyOf } from '../../src/signalling/edge/failure-status.ts'
import { browser, pushToTalk, rfc3264, rfc3264Answer, rfc4975, rfc5547 } from '../protocols/sdp/descriptions.ts'

const capability = new CapabilityController()
const select = (text: string, policy: MediaPolicy = {}) => capability.select(readSdp(text), { policies: [policy] })
const kinds = (...kinds: readonly MediaKind[]): MediaPolicy => ({ kinds: new Set(kinds) })
const ports = ({ description }: Selection) => description.media.map(({ port }) => port)

/** What a selection that comes to nothing is answered with. */
async function refusal(selecting: Promise<Selection>): Promise<[number, ...string[]]> {
  const err = await selecting.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(err).toBeInstanceOf(Failure)
  const { status, headers = [] } = replyOf(err, 'parley.test')
  return [status, ...headers.map(([name, value]) => `${name}: ${value}`)]
}

/** Stands for the media plane: ends that know whether they were closed. */
class Ends implements Anchor {
  readonly origin = {
    username: '-',
    sessionId: '1',
    version: '1',
    networkType: 'IN',
    addressType: 'IP4',
    address: '192.0.2.1',
  }
  readonly connection = { networkType: 'IN', addressType: 'IP4', address: '192.0.2.1' }
  readonly asked: OwnMediaRequest[] = []
  readonly open = new Set<number>()
  limit = 100
  readonly none: readonly MediaKind[] = []

  async ownMedia(request: OwnMediaRequest) {
    if (this.none.includes(request.kind)) return undefined
    if (this.open.size === this.limit) throw new Failure('overloaded', 'no port left', { retryAfter: 5 })
    this.asked.push(request)
    const port = 10_000 + 2 * this.asked.length
    this.open.add(port)
    return {
      describe: (media: MediaDescription) => {
        const own = { ...media, port }
        return media.media === 'message' ? withMsrpMedia(own, { path: [`msrp://192.0.2.1:${port}/x;tcp`] }) : own
      },
      close: () => void expect(this.open.delete(port)).toBe(true),
    }
  }
}

describe('end to end', () => {
  test.each([rfc3264, rfc4975, rfc5547, browser, pushToTalk])('what policy permits passes untouched', async (text) => {
    const selection = await select(text)
    expect(selection.untouched).toBe(true)
    expect(sdpText(selection.description)).toBe(text)
    expect(selection.held).toEqual([])
    expect(selection.warnings).toEqual([])
  })

  test('each kind of media has its execution module', async () => {
    const kindsOf = async (text: string) => (await select(text)).media.map(({ kind }) => kind)
    expect(await kindsOf(rfc3264)).toEqual(['audio', 'video', 'video'])
    expect(await kindsOf(rfc4975)).toEqual(['message-session'])
    expect(await kindsOf(rfc5547)).toEqual(['file-transfer'])
    expect(await kindsOf(pushToTalk)).toEqual(['half-duplex-voice', 'half-duplex-voice'])
    expect(await kindsOf(`${rfc3264}m=application 9 UDP/BFCP *\r\n`)).toEqual(['audio', 'video', 'video', 'other'])
  })

  test('media that a user may not use are refused with port 0, and the rest goes on', async () => {
    const selection = await select(rfc3264, kinds('audio'))
    expect(ports(selection)).toEqual([49170, 0, 0])
    expect(selection.description.media[1]).toMatchObject({ media: 'video', formats: ['31'], attributes: [] })
    expect(selection.warnings).toEqual([
      { code: 304, text: 'video is not permitted' },
      { code: 304, text: 'video is not permitted' },
    ])
  })

  test('codecs that are not permitted leave with their attributes; those that help others stay', async () => {
    const { description } = await select(browser, { audioCodecs: new Set(['pcmu', 'g722']) })
    expect(description.media[0]?.formats).toEqual(['63', '9', '0', '126'])
    expect(sdpText(description)).not.toContain(':111 ')
  })

  test('bandwidth beyond the ceiling is lowered to it', async () => {
    const fast = rfc3264.replace('a=rtpmap:0 ', 'b=AS:128\r\nb=TIAS:120000\r\na=rtpmap:0 ')
    const { description } = await select(fast, { bitRates: { audio: 64_000, video: 1_000_000 }, bitRate: 900_000 })
    expect(description.bandwidth).toEqual([{ type: 'AS', value: 900 }])
    expect(description.media[0]?.bandwidth).toEqual([
      { type: 'AS', value: 64 },
      { type: 'TIAS', value: 64_000 },
    ])
    expect(description.media[1]?.bandwidth).toEqual([{ type: 'AS', value: 1_000 }])
  })

  test('the size of a message is limited to what policy permits', async () => {
    const { description } = await select(rfc4975, { maxMessageSize: 1_000 })
    expect(attribute(description.media[0] as MediaDescription, 'max-size')).toBe('1000')
    expect((await select(rfc4975, { maxMessageSize: 10_000 })).untouched).toBe(true)
  })

  test('the policies of both parties must permit', async () => {
    const policies = [
      { ...kinds('audio', 'video'), bitRates: { video: 0 } },
      { ...kinds('audio'), bitRates: { video: 1 } },
    ]
    const selection = await capability.select(readSdp(rfc3264), { policies })
    expect(ports(selection)).toEqual([49170, 0, 0])
  })

  test('a session without media, or with all of them at port 0, is not refused', async () => {
    const bare = rfc3264.slice(0, rfc3264.indexOf('m='))
    expect((await select(bare, kinds())).untouched).toBe(true)
    expect((await select(`${bare}m=audio 0 RTP/AVP 0\r\n`, kinds())).untouched).toBe(true)
  })
})

describe('refused as a whole', () => {
  const withAudio = (line: string) => rfc3264.slice(0, rfc3264.indexOf('m=')).concat(line, '\r\n')
  test.each<[string, string, MediaPolicy, string]>([
    ['no network', withAudio('m=audio 1 RTP/AVP 0\r\nc=TN RFC2543 +1555'), {}, '300 parley.test "network type TN"'],
    ['no address', withAudio('m=audio 1 RTP/AVP 0\r\nc=IN X25 1'), {}, '301 parley.test "address type X25"'],
    ['no transport', withAudio('m=audio 1 udp 0'), {}, '302 parley.test "audio over udp"'],
    ['no MSRP', withAudio('m=message 1 TCP/XMPP *'), {}, '302 parley.test "message over TCP/XMPP"'],
    ['nothing permitted', withAudio('m=audio 1 RTP/AVP 0'), kinds(), '304 parley.test "audio is not permitted"'],
    [
      'no codec',
      withAudio('m=audio 1 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000'),
      { audioCodecs: new Set(['opus', 'telephone-event']) },
      '305 parley.test "no permitted audio format in PCMU telephone-event"',
    ],
    ['no path', withAudio('m=message 1 TCP/MSRP *'), {}, '306 parley.test "message without a=path"'],
    [
      'multicast',
      withAudio('m=audio 1 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127'),
      {},
      '330 parley.test "multicast 224.2.1.1/127"',
    ],
    [
      'no bandwidth',
      withAudio('m=audio 1 RTP/AVP 0'),
      { bitRates: { audio: 0 } },
      '370 parley.test "no bandwidth for audio"',
    ],
    ['a floor without voice', withAudio('m=application 1 udp TBCP'), {}, '399 parley.test "TBCP without audio"'],
  ])('%s: 488 with its Warning', async (_, text, policy, warning) => {
    expect(await refusal(select(text, policy))).toEqual([488, `Warning: ${warning}`])
  })

  test('a file beyond the limit: 403 with Warning 133', async () => {
    expect(await refusal(select(rfc5547, { maxFileSize: 32_348 }))).toEqual([
      403,
      'Warning: 133 parley.test "Size exceeded"',
    ])
    expect((await select(rfc5547, { maxFileSize: 32_349 })).untouched).toBe(true)
  })

  test('every refused m= line says why', async () => {
    const opus = new Set(['opus'])
    const [status, ...warnings] = await refusal(select(rfc3264, { audioCodecs: opus, videoCodecs: opus }))
    expect([status, warnings.length]).toEqual([488, 3])
  })

  test('what is no description: 400 with a Warning that names the line', () => {
    const body = Buffer.from(rfc3264.replace('t=0 0', 't="now"'))
    expect(() => capability.read(body)).toThrow(Failure)
    try {
      capability.read(body)
    } catch (err) {
      expect(replyOf(err, 'parley.test')).toEqual({
        status: 400,
        reason: 'Bad Request',
        headers: [['Warning', '399 parley.test "SDP line 5: not a t= line by its grammar: t=\\"now\\""']],
      })
    }
    expect(sdpText(capability.read(Buffer.from(rfc3264)))).toBe(rfc3264)
  })

  test('the floor goes with its voice', async () => {
    const [status] = await refusal(select(pushToTalk, { audioCodecs: new Set(['opus']) }))
    expect(status).toBe(488)
  })
})

describe('anchored', () => {
  test('each m= line gets an end of the server, and no address of its writer is left', async () => {
    const ends = new Ends()
    const text = `${rfc4975}${browser.slice(browser.indexOf('m='))}`
    const { description, held } = await capability.select(readSdp(text), { policies: [], anchor: ends })
    expect(description.origin).toBe(ends.origin)
    expect(description.connection).toBe(ends.connection)
    expect(description.media.map(({ port, connection }) => [port, connection])).toEqual([
      [10_002, undefined],
      [10_004, undefined],
    ])
    const names = description.media.map(({ attributes }) => attributes.map(({ name }) => name))
    expect(names[0]).toEqual(['accept-types', 'accept-wrapped-types', 'max-size', 'path'])
    expect(names[1]).not.toEqual(expect.arrayContaining(['candidate']))
    expect(sdpText(description)).not.toMatch(/alice|198\.51\.100|ice-/)
    expect(held).toHaveLength(2)
    expect(ends.asked.map(({ kind, index }) => [kind, index])).toEqual([
      ['message-session', 0],
      ['audio', 1],
    ])
  })

  test('nothing is held for what is refused, and all is freed at the end', async () => {
    const ends = new Ends()
    const selection = await capability.select(readSdp(rfc3264), { policies: [kinds('audio')], anchor: ends })
    expect([...ends.open]).toEqual([10_002])
    expect(ports(selection)).toEqual([10_002, 0, 0])
    selection.close()
    expect(ends.open.size).toBe(0)
  })

  test('a pool that is full in the middle frees what was had, and is 503 with Retry-After', async () => {
    const ends = new Ends()
    ends.limit = 2
    const selecting = capability.select(readSdp(rfc3264), { policies: [], anchor: ends })
    expect(await refusal(selecting)).toEqual([503, 'Retry-After: 5'])
    expect(ends.open.size).toBe(0)
  })

  test('media for which the server has no end are refused', async () => {
    const ends = Object.assign(new Ends(), { none: ['video'] })
    const selection = await capability.select(readSdp(rfc3264), { policies: [], anchor: ends })
    expect(ports(selection)).toEqual([10_002, 0, 0])
    expect(selection.warnings[0]).toEqual({ code: 304, text: 'relayed video is not permitted' })
    const none = Object.assign(new Ends(), { none: ['audio', 'video'] })
    const [status] = await refusal(capability.select(readSdp(rfc3264), { policies: [], anchor: none }))
    expect(status).toBe(488)
  })

  test('a later description uses the same ends, frees those of dropped media, and counts the version up', async () => {
    const ends = new Ends()
    const offer = readSdp(rfc3264)
    const first = await capability.select(offer, { policies: [], anchor: ends })
    const same = await capability.select(offer, { policies: [], anchor: ends, before: first })
    expect(same.description).toEqual(first.description)
    const fewer = { ...offer, media: offer.media.map((media, index) => (index === 0 ? media : { ...media, port: 0 })) }
    const dropped = await capability.select(fewer, { policies: [], anchor: ends, before: same })
    expect(dropped.description.origin.version).toBe('2')
    expect(ends.open.size).toBe(3)
    dropped.rollBack()
    expect(ends.open.size).toBe(3)
    dropped.commit()
    expect([...ends.open]).toEqual([10_002])
    const added = await capability.select(offer, { policies: [], anchor: ends, before: dropped })
    expect(ends.open.size).toBe(3)
    added.rollBack()
    expect([...ends.open]).toEqual([10_002])
    dropped.close()
    expect(ends.open.size).toBe(0)
  })

  test('an answer is held against its offer', async () => {
    const ends = new Ends()
    const offered: SessionDescription = readSdp(rfc3264)
    const take = (answer: SessionDescription) => capability.select(answer, { policies: [], anchor: ends, offered })
    const selection = await take(readSdp(rfc3264Answer))
    expect(ports(selection)).toEqual([10_002, 0, 10_004])
    const short = { ...readSdp(rfc3264Answer), media: [] }
    expect(await refusal(take(short))).toEqual([488, 'Warning: 399 parley.test "0 m= lines for 3"'])
  })

  test('an answer need not repeat what tells its kind', async () => {
    const answer = rfc5547.replace(/a=file-[^\r]*\r\n/g, '').replace('sendonly', 'recvonly')
    const options = { policies: [kinds('file-transfer')], offered: readSdp(rfc5547) }
    const selection = await capability.select(readSdp(answer), options)
    expect(selection.media[0]?.kind).toBe('file-transfer')
  })
})
