import type { Config } from '../../src/config/config.ts'
import { DrachtioDaemon } from './drachtio-daemon.ts'

/** Who speaks SIP: the server itself, or a drachtio-server beside it. */
export type SipStackName = 'embedded' | 'drachtio'

/** Unless a test says otherwise; the project `drachtio` runs the scenarios a second time with it. */
export const usualStack: SipStackName = process.env.TEST_STACK === 'drachtio' ? 'drachtio' : 'embedded'

/** The daemon for a server of that configuration, with the sockets that the server would have had. */
export const daemonFor = ({ sip }: Config): Promise<DrachtioDaemon> =>
  DrachtioDaemon.start({ listen: sip.listen, dns: sip.dns })

/** What makes a server use that daemon. */
export const settingsFor = ({ port, secret }: DrachtioDaemon): Record<string, string> => ({
  'sip.stack': 'drachtio',
  'sip.drachtio.host': '127.0.0.1',
  'sip.drachtio.port': String(port),
  'sip.drachtio.secret': secret,
})
