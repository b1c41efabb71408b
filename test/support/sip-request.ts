import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../src/protocols/sip/message.ts'
import type { InboundRequest, Source } from '../../src/signalling/edge/sip-port.ts'

type Field = readonly [name: string, value: string]

const plain: readonly Field[] = [
  ['Via', 'SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bK1;rport=5070'],
  ['From', '<sip:alice@parley.test>;tag=1'],
  ['To', '<sip:alice@parley.test>'],
  ['Call-ID', 'c1'],
  ['Max-Forwards', '70'],
]

/** A request as an edge hands it over. `fields` take the place of those of the same name. */
export function sipRequest(
  method: string,
  uri: string,
  fields: readonly Field[],
  source: Partial<Source> = {},
): InboundRequest {
  const given = new Set(fields.map(([name]) => name.toLowerCase()))
  const defaults = [...plain, ['CSeq', `1 ${method}`] as const].filter(([name]) => !given.has(name.toLowerCase()))
  return {
    message: new SipRequest(method, uri, new Headers([...defaults, ...fields])),
    source: { flow: 'udp/1', transport: 'udp', address: '10.0.0.2', port: 5070, trusted: false, ...source },
  }
}
