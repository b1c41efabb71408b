import type { Config } from '../config/config.ts'
import { FloorServer } from '../media/floor/index.ts'
import { EmbeddedEngine, PortPairs, type Quality, type RtpEngine, RtpPlane } from '../media/rtp/index.ts'
import { Rtpengine } from '../media/rtpengine/index.ts'
import type { Metrics } from '../operations/index.ts'
import { type Parts, useMetrics } from './parts.ts'
import { reachedAt } from './reached-at.ts'
import type { Started } from './started.ts'

/** Without a packet for so long, a party behind a NAT that gave it another address may come from there. */
const relatchAfter = 5_000
const lossBounds = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
const secondsBounds = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]

/** The engine for voice and video that `media.rtp` names, and the floors of half-duplex voice. */
export function startVoice(parts: Parts, started: Started): { readonly rtp: RtpEngine; readonly floors: FloorServer } {
  const { config, metrics } = parts
  const place = placeOf(config)
  const rtp = openEngine(parts, place)
  started.add(() => rtp.close())
  useMetrics(metrics, 'rtp_ports', 'Port pairs of voice and video', rtp.use)
  const floors = new FloorServer({ ...place, maxTalk: config.media.floor.maxTalk, relatchAfter })
  started.add(() => floors.close())
  metrics.gauge('parley_floors', 'Floors of half-duplex voice that are open', () => floors.inUse)
  metrics.counter('parley_floor_dropped_total', 'Floor control messages that were not taken', () => floors.dropped)
  return { rtp, floors }
}

interface Place {
  readonly ports: PortPairs
  readonly advertise: string
}

function placeOf({ media, sip }: Config): Place {
  const address = media.address ?? sip.listen[0]?.address ?? '127.0.0.1'
  const advertise = reachedAt(media.advertise ?? sip.advertise, address)
  return { ports: new PortPairs({ address, ...media.rtpPorts }), advertise }
}

function openEngine({ config, log, metrics }: Parts, place: Place): RtpEngine {
  if (config.media.rtp === 'embedded') return new EmbeddedEngine(openPlane(config, place, metrics))
  const { rtpengine, dscp, maxSilence } = config.media
  return new Rtpengine({ ...rtpengine, dscp, maxSilence, now: Date.now, log: log.child({ part: 'rtpengine' }) })
}

function openPlane({ media }: Config, place: Place, metrics: Metrics): RtpPlane {
  const plane = new RtpPlane({
    ...{ ...place, maxSilence: media.maxSilence, relatchAfter },
    now: Date.now,
    onQuality: qualityMetrics(metrics),
  })
  useCounters(metrics, plane)
  return plane
}

/** What parties say in RTCP of how they hear each other. */
function qualityMetrics(metrics: Metrics): (quality: Quality) => void {
  const loss = metrics.histogram(
    'parley_rtp_loss_ratio',
    'Share of RTP packets lost, as receivers report it',
    lossBounds,
  )
  const jitter = metrics.histogram('parley_rtp_jitter_seconds', 'Jitter, as receivers report it', secondsBounds)
  const trip = metrics.histogram('parley_rtp_round_trip_seconds', 'From the server to a party and back', secondsBounds)
  return ({ fractionLost, jitter: seconds, roundTrip }) => {
    loss.observe(fractionLost)
    jitter.observe(seconds)
    if (roundTrip !== undefined) trip.observe(roundTrip)
  }
}

function useCounters(metrics: Metrics, { counters }: RtpPlane): void {
  metrics.counter('parley_rtp_packets_total', 'RTP packets relayed', () => counters.rtpPackets)
  metrics.counter('parley_rtp_bytes_total', 'Bytes of them', () => counters.rtpBytes)
  metrics.counter('parley_rtcp_packets_total', 'RTCP packets relayed', () => counters.rtcpPackets)
  metrics.counter('parley_rtp_silences_total', 'Lines of which a party went silent', () => counters.silences)
  const dropped = ['strangers', 'malformed', 'undeliverable', 'tooMany', 'muted'] as const
  metrics.counters('parley_rtp_dropped_total', 'Packets not relayed', 'reason', () =>
    dropped.map((reason) => [reason, counters[reason]]),
  )
}
