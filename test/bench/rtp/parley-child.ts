/** The embedded engine alone. It is told where the parties of calls are, and tells where they have to send. */
import { EmbeddedEngine, PortPairs, RtpPlane } from '../../../src/media/rtp/index.ts'
import { agreeOnPorts } from './agree.ts'
import type { CallPorts } from './load.ts'

const plane = new RtpPlane({
  ports: new PortPairs({ address: '127.0.0.1', first: 40_000, last: 49_999 }),
  ...{ advertise: '127.0.0.1', maxSilence: 60_000, relatchAfter: 5_000, now: Date.now, onQuality: () => {} },
})
const engine = new EmbeddedEngine(plane)
const agreed: CallPorts[] = []

process.on('message', async (parties: readonly CallPorts[]) => {
  for (const party of parties.slice(agreed.length)) agreed.push(await agreeOnPorts(engine, party))
  process.send?.(agreed)
})
process.on('disconnect', () => process.exit(0))
