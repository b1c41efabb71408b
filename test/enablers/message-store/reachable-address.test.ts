import { expect, test } from 'vitest'
import { isPublicAddress } from '../../../src/enablers/message-store/rest/subscriptions/reachable-address.ts'

test('addresses of the public internet may be called back, and no others, however they are written', () => {
  for (const address of ['93.184.216.34', '8.8.8.8', '2606:2800:220:1::1', '::ffff:8.8.8.8']) {
    expect(isPublicAddress(address), address).toBe(true)
  }
  const inside = [
    ...[
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
    ],
    ...['100.64.0.1', '192.0.0.8', '198.18.0.1', '224.0.0.1', '255.255.255.255', '::1', '::', '::127.0.0.1'],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:10.0.0.1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      'fc00::1',
      'fd12::1',
    ],
    ...['fe80::1', 'fe80::1%eth0', 'ff02::1', 'localhost', '', '127.1', '0x7f000001'],
  ]
  for (const address of inside) expect(isPublicAddress(address), address).toBe(false)
})
