import { describe, expect, test } from 'vitest'
import { type Place, reasonToAnchor } from '../../src/media/bridge/index.ts'
import { readSdp } from '../../src/protocols/sdp/read-sdp.ts'
import { chatSdp } from '../support/chat-sdp.ts'

const at = (address: string, transport = 'udp', contact = address): Place => ({ transport, address, contact })
const here = at('127.0.0.1')

const chat = (more = '') => readSdp(Buffer.from(chatSdp({ path: 'msrp://127.0.0.1:9/x;tcp', more })))
const offer = (lines: string) =>
  readSdp(Buffer.from(`v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${lines}`))
const audio = 'm=audio 4000 RTP/AVP 0\r\n'
const candidate = 'a=candidate:1 1 UDP 2130706431 10.0.0.1 4000 typ host\r\n'

const reason = (of: ReturnType<typeof chat>, caller: Place | undefined, callee: Place | undefined, policy = {}) =>
  reasonToAnchor(of, 'caller', { places: { caller, callee }, policy })

describe('media go from client to client', () => {
  test('where both are what they say', () => {
    expect(reason(chat(), here, here)).toBeUndefined()
    expect(reason(chat(), at('127.0.0.1', 'tcp'), here)).toBeUndefined()
    expect(reason(chat(), here, at('127.0.0.1', 'udp', 'phone.example.org'))).toBeUndefined()
  })

  test('where a party is known through others only', () => {
    expect(reason(chat(), here, undefined)).toBeUndefined()
    expect(reason(chat(), undefined, undefined)).toBeUndefined()
  })

  test('where ICE finds the way for all of them', () => {
    expect(reason(offer(audio + candidate), at('192.0.2.1'), here)).toBeUndefined()
    expect(reason(offer(audio + candidate + audio), at('192.0.2.1'), here)).toBe('nat')
  })
})

describe('media go through the server', () => {
  test('where a party sends from elsewhere than its description or its Contact says', () => {
    expect(reason(chat(), at('192.0.2.1'), here)).toBe('nat')
    expect(reason(chat(), here, at('192.0.2.1', 'udp', '10.0.0.1'))).toBe('nat')
    expect(reason(chat(), at('127.0.0.1', 'udp', '10.0.0.1'), here)).toBe('nat')
  })

  test('where the parties differ in transport, or in the family of their addresses', () => {
    expect(reason(chat(), at('127.0.0.1', 'wss', 'x.invalid'), here)).toBe('transport')
    expect(reason(chat(), at('127.0.0.1', 'tls'), here)).toBe('transport')
    expect(reason(chat(), here, at('::1'))).toBe('transport')
  })

  test('where a size has to be limited', () => {
    const file = chat('m=message 9 TCP/MSRP *\r\na=path:msrp://127.0.0.1:9/y;tcp\r\na=file-selector:size:9\r\n')
    expect(reason(chat(), here, here, { maxFileSize: 9 })).toBeUndefined()
    expect(reason(file, here, here, { maxFileSize: 9 })).toBe('size')
    expect(reason(chat(), here, here, { maxMessageSize: 9 })).toBe('size')
  })

  test('for half-duplex voice, whose floor is here', () => {
    expect(reason(offer(`${audio}m=application 4002 udp TBCP\r\n`), here, here)).toBe('floor')
  })
})
