import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { PortPairs } from '../../../src/media/rtp/port-pairs.ts'
import type { Quality } from '../../../src/media/rtp/reception.ts'
import { RtpPlane } from '../../../src/media/rtp/rtp-plane.ts'

/** A plane on ports that the kernel has free, or nearly: those that are not are passed over. Closed with the test. */
export async function startPlane(
  options: { pairs?: number; now?: () => number; onQuality?: (quality: Quality) => void } = {},
): Promise<RtpPlane> {
  const { pairs = 20, now = Date.now, onQuality = () => {} } = options
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const first = Math.min(socket.address().port, 65_000) & ~1
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  const plane = new RtpPlane({
    ports: new PortPairs({ address: '127.0.0.1', first, last: first + 2 * pairs - 1 }),
    advertise: '127.0.0.1',
    ...{ maxSilence: 30_000, relatchAfter: 3_000, now, onQuality },
  })
  onTestFinished(() => plane.close())
  return plane
}
