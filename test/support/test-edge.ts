import pino from 'pino'
import { DrachtioEdge } from '../../src/signalling/edge/drachtio/drachtio-edge.ts'
import type { DrachtioOptions } from '../../src/signalling/edge/drachtio/drachtio-stack.ts'
import { EmbeddedEdge } from '../../src/signalling/edge/embedded/embedded-edge.ts'
import type { SipEdge } from '../../src/signalling/edge/sip-edge.ts'
import type { ListeningAddress } from '../../src/signalling/edge/sip-port.ts'
import { DrachtioDaemon } from './drachtio-daemon.ts'
import { quiet } from './quiet-log.ts'
import { type SipStackName, usualStack } from './sip-stack.ts'

export interface TestEdge extends AsyncDisposable {
  readonly edge: SipEdge
  /** The first socket for SIP. */
  readonly listening: ListeningAddress
}

interface Options {
  readonly stack?: SipStackName
  readonly observe?: (method: string, status: number) => void
}

const listen: readonly ListeningAddress[] = [{ transport: 'udp', address: '127.0.0.1', port: 0 }]

const common = {
  log: pino({ level: 'silent' }),
  now: () => performance.now(),
  maxUnderWay: 0,
}

/** An edge with nothing behind it; `prepare` says who serves, before the first request can come. */
export async function startEdge(
  prepare: (edge: SipEdge) => void,
  { stack = usualStack, observe = () => {} }: Options = {},
): Promise<TestEdge> {
  const daemon = stack === 'drachtio' ? await DrachtioDaemon.start({ listen }) : undefined
  const edge =
    daemon === undefined
      ? new EmbeddedEdge({ ...common, observe, stack: { listen } })
      : new DrachtioEdge({ ...common, observe, stack: daemonOptions(daemon) })
  prepare(edge)
  const [listening] = await edge.start()
  if (listening === undefined) throw new Error('the edge listens nowhere')
  const dispose = async () => {
    await edge.close(AbortSignal.abort())
    await daemon?.close()
  }
  return { edge, listening, [Symbol.asyncDispose]: dispose }
}

export const daemonOptions = ({ port, secret }: Pick<DrachtioDaemon, 'port' | 'secret'>): DrachtioOptions => ({
  daemon: { host: '127.0.0.1', port, secret },
  connectWithin: 5000,
  patience: 34_000,
  routeFor: () => undefined,
  trusted: () => false,
  now: () => performance.now(),
  log: quiet,
})
