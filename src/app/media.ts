import { ConfigurationFault } from '../failure.ts'
import type { FloorServer } from '../media/floor/index.ts'
import { type MsrpAddress, type MsrpLimits, MsrpPlane, MsrpUnlistenable } from '../media/msrp/index.ts'
import type { RtpEngine } from '../media/rtp/index.ts'
import { type Parts, useMetrics } from './parts.ts'
import { isAnyAddress, reachedAt } from './reached-at.ts'
import type { Started } from './started.ts'
import type { Tls } from './tls.ts'
import { startVoice } from './voice.ts'

export interface Media {
  readonly msrp: MsrpPlane
  readonly rtp: RtpEngine
  readonly floors: FloorServer
  /** Where MSRP is reached. */
  readonly host: string
  readonly addresses: readonly MsrpAddress[]
}

const limitsOf = ({ limits }: Parts['config']['msrp']): Partial<MsrpLimits> => ({
  sessions: limits.sessions,
  connections: limits.connections,
  connectionsPerSource: limits.connectionsPerSource,
  silentMs: limits.silence,
  returnMs: limits.absence,
  stallMs: limits.stall,
})

export async function startMedia(parts: Parts, tls: Tls, started: Started): Promise<Media> {
  const { config, log, metrics } = parts
  const { listen } = config.msrp
  const onAny = listen.find(({ address }) => isAnyAddress(address))?.address
  const advertise = config.msrp.advertise ?? config.sip.advertise ?? (onAny && reachedAt(undefined, onAny))
  const part = log.child({ part: 'msrp' })
  const msrp = new MsrpPlane({ listen, advertise, tls: tls.identity, limits: limitsOf(config.msrp), log: part })
  started.add(() => msrp.close())
  useMetrics(metrics, 'msrp_sessions', 'Ends of message sessions', msrp.sessions)
  useMetrics(metrics, 'msrp_connections', 'MSRP connections', msrp.connections)
  try {
    const addresses = await msrp.start()
    const host = reachedAt(advertise, addresses[0]?.address ?? config.domain)
    return { msrp, ...startVoice(parts, started), host, addresses }
  } catch (err) {
    if (err instanceof MsrpUnlistenable)
      throw new ConfigurationFault('msrp.listen', err.message, 'give another address', err)
    throw err
  }
}
