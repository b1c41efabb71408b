import { ConfigurationFault } from '../failure.ts'
import { type MsrpAddress, MsrpPlane, MsrpUnlistenable } from '../media/msrp/index.ts'
import { type Parts, useMetrics } from './parts.ts'
import type { Started } from './started.ts'
import type { Tls } from './tls.ts'

export interface Media {
  readonly msrp: MsrpPlane
  readonly addresses: readonly MsrpAddress[]
}

export async function startMedia({ config, log, metrics }: Parts, tls: Tls, started: Started): Promise<Media> {
  const { listen, advertise } = config.msrp
  const part = log.child({ part: 'msrp' })
  const msrp = new MsrpPlane({ listen, advertise, tls: tls.identity, log: part })
  started.add(() => msrp.close())
  useMetrics(metrics, 'msrp_sessions', 'Ends of message sessions', msrp.sessions)
  useMetrics(metrics, 'msrp_connections', 'MSRP connections', msrp.connections)
  try {
    return { msrp, addresses: await msrp.start() }
  } catch (err) {
    if (err instanceof MsrpUnlistenable)
      throw new ConfigurationFault('msrp.listen', err.message, 'give another address', err)
    throw err
  }
}
