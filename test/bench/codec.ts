/** CPU microseconds that the SIP codec takes for a message of about 1 KB, one JSON line for each step. */
import { checkRequest } from '../../src/protocols/sip/check-request.ts'
import { SipRequest, writeMessage } from '../../src/protocols/sip/message.ts'
import { readMessage } from '../../src/protocols/sip/read-message.ts'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import { StreamReader } from '../../src/protocols/sip/stream-reader.ts'

const limits = { maxBytes: 65_536, maxHeaders: 100, maxHeaderLength: 8_192 }
const runs = 200_000

const head = (number: number) =>
  [
    'MESSAGE sip:bob@parley.test SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-${number}-1-0;rport`,
    `From: "Alice" <sip:alice@parley.test>;tag=${number}`,
    'To: <sip:bob@parley.test>',
    `Call-ID: ${number}@127.0.0.1`,
    'CSeq: 1 MESSAGE',
    'Max-Forwards: 70',
    'User-Agent: Bench/1.0',
    'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"',
    `Conversation-ID: f81d4fae-7dec-11d0-a765-${number}`,
    `Contribution-ID: f81d4fae-7dec-11d0-a766-${number}`,
    'P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg',
    'Date: Sun, 22 Nov 2026 08:59:38 GMT',
    'Content-Type: text/plain;charset=UTF-8',
    'Content-Length: 350',
  ].join('\r\n')

/** Different ones, since the same text again and again is quicker than real traffic. */
const datagrams = Array.from({ length: 512 }, (_, number) => Buffer.from(`${head(number)}\r\n\r\n${'x'.repeat(350)}`))
const requests = datagrams.map((bytes) => readMessage(bytes, limits) as SipRequest)
const stream = new StreamReader(limits)
const gone = new Set(['route', 'proxy-authorization', 'p-asserted-identity', 'max-forwards', 'content-length'])

function relay(request: SipRequest): Buffer {
  const headers = request.headers.without(gone).prepend('Via', 'SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKabcdef')
  headers.add('Max-Forwards', '69')
  return writeMessage(new SipRequest(request.method, 'sip:bob@127.0.0.1:5090', headers, request.body))
}

const steps: Readonly<Record<string, (bytes: Buffer, request: SipRequest) => unknown>> = {
  read: (bytes) => readMessage(bytes, limits),
  readFromStream: (bytes) => [...stream.read(bytes)],
  check: (_, request) => checkRequest(request),
  relayAndWrite: (_, request) => relay(request),
  answerAndWrite: (_, request) => writeMessage(responseTo(request, 200, { toTag: 'abc' })),
  all: (bytes) => {
    const request = readMessage(bytes, limits) as SipRequest
    checkRequest(request)
    return relay(request)
  },
}

for (const [step, run] of Object.entries(steps)) {
  const go = (times: number) => {
    for (let at = 0; at < times; at++) run(datagrams[at & 511] as Buffer, requests[at & 511] as SipRequest)
  }
  go(runs / 5)
  const before = process.cpuUsage()
  go(runs)
  const { user, system } = process.cpuUsage(before)
  console.log(
    JSON.stringify({ bench: 'codec', step, bytes: datagrams[0]?.length, cpuMicroseconds: (user + system) / runs }),
  )
}
