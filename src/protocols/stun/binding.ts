import { MalformedStun } from './malformed-stun.ts'

/** A Binding request of STUN (RFC 8489, once RFC 5389), which SIP over UDP keeps its flows alive with (RFC 5626 §4.4.2). */
export interface BindingRequest {
  readonly transactionId: Buffer
  /** Types of attributes that must be understood and are not: answered 420 (RFC 8489 §6.3.1). */
  readonly unknown: readonly number[]
}

export interface Mapped {
  readonly address: string
  readonly port: number
}

const cookie = 0x2112a442
const request = 0x0001
const success = 0x0101
const failure = 0x0111
const xorMappedAddress = 0x0020
const errorCode = 0x0009
const unknownAttributes = 0x000a
/** USERNAME, MESSAGE-INTEGRITY and their like: no credentials are asked for, so they may be passed over. */
const understood: ReadonlySet<number> = new Set([
  0x0006,
  0x0008,
  0x0014,
  0x0015,
  0x001c,
  0x001d,
  0x001e,
  xorMappedAddress,
])

/** Whether bytes on a socket that also carries SIP are STUN: two zero bits and the magic cookie (RFC 8489 §5, §6.3). */
export const isStun = (bytes: Buffer): boolean =>
  bytes.length >= 20 && ((bytes[0] as number) & 0xc0) === 0 && bytes.readUInt32BE(4) === cookie

/** Reads a Binding request; undefined for STUN of another kind, which is passed over. Throws MalformedStun. */
export function readBindingRequest(bytes: Buffer): BindingRequest | undefined {
  const attributes = readAttributes(bytes)
  if (bytes.readUInt16BE(0) !== request) return undefined
  const unknown = attributes.map(([type]) => type).filter((type) => type < 0x8000 && !understood.has(type))
  return { transactionId: bytes.subarray(8, 20), unknown }
}

/** Reads the answer to a Binding request of one's own; undefined when it is none or an error. Throws MalformedStun. */
export function readBindingResponse(bytes: Buffer): { transactionId: Buffer; mapped: Mapped } | undefined {
  const attributes = readAttributes(bytes)
  const [, value] = attributes.find(([type]) => type === xorMappedAddress) ?? []
  if (bytes.readUInt16BE(0) !== success || value === undefined) return undefined
  return { transactionId: bytes.subarray(8, 20), mapped: readXorMapped(value, bytes) }
}

export const writeBindingRequest = (transactionId: Buffer): Buffer => writeStun(request, transactionId, [])

/** The answer: success with the address that the request came from, or 420 (RFC 8489 §6.3.1). */
export function writeBindingAnswer(to: BindingRequest, from: Mapped): Buffer {
  if (to.unknown.length > 0) return writeStun(failure, to.transactionId, unknownAnswer(to.unknown))
  return writeStun(success, to.transactionId, [[xorMappedAddress, writeXorMapped(from, to.transactionId)]])
}

type Attribute = readonly [type: number, value: Buffer]

function readAttributes(bytes: Buffer): Attribute[] {
  if (!isStun(bytes) || bytes.readUInt16BE(2) !== bytes.length - 20 || bytes.length % 4 !== 0) {
    throw new MalformedStun('not a STUN message')
  }
  const attributes: Attribute[] = []
  for (let at = 20; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt16BE(at + 2)
    if (end > bytes.length) throw new MalformedStun('an attribute goes beyond the message')
    attributes.push([bytes.readUInt16BE(at), bytes.subarray(at + 4, end)])
    at = (end + 3) & ~3
  }
  return attributes
}

function unknownAnswer(unknown: readonly number[]): Attribute[] {
  const types = Buffer.alloc(2 * unknown.length)
  for (const [index, type] of unknown.entries()) types.writeUInt16BE(type, 2 * index)
  return [
    [errorCode, Buffer.concat([Buffer.from([0, 0, 4, 20]), Buffer.from('Unknown Attribute')])],
    [unknownAttributes, types],
  ]
}

function writeStun(type: number, transactionId: Buffer, attributes: readonly Attribute[]): Buffer {
  const length = attributes.reduce((sum, [, value]) => sum + 4 + ((value.length + 3) & ~3), 0)
  const bytes = Buffer.alloc(20 + length)
  bytes.writeUInt16BE(type, 0)
  bytes.writeUInt16BE(length, 2)
  bytes.writeUInt32BE(cookie, 4)
  transactionId.copy(bytes, 8)
  let at = 20
  for (const [attribute, value] of attributes) {
    bytes.writeUInt16BE(attribute, at)
    bytes.writeUInt16BE(value.length, at + 2)
    value.copy(bytes, at + 4)
    at += 4 + ((value.length + 3) & ~3)
  }
  return bytes
}

/** What the port and address are XORed with: the cookie and the transaction id (RFC 8489 §14.2). */
function mask(transactionId: Buffer): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(cookie, 0)
  transactionId.copy(bytes, 4)
  return bytes
}

function writeXorMapped({ address, port }: Mapped, transactionId: Buffer): Buffer {
  const raw = address.includes(':') ? ipv6Bytes(address) : Buffer.from(address.split('.').map(Number))
  const key = mask(transactionId)
  const value = Buffer.alloc(4 + raw.length)
  value[1] = raw.length === 4 ? 1 : 2
  value.writeUInt16BE(port ^ (cookie >>> 16), 2)
  for (const [index, byte] of raw.entries()) value[4 + index] = byte ^ (key[index] as number)
  return value
}

function readXorMapped(value: Buffer, message: Buffer): Mapped {
  const length = value[1] === 1 ? 4 : 16
  if (value.length !== 4 + length) throw new MalformedStun('not an XOR-MAPPED-ADDRESS')
  const key = mask(message.subarray(8, 20))
  const raw = Buffer.from(value.subarray(4).map((byte, index) => byte ^ (key[index] as number)))
  return { port: value.readUInt16BE(2) ^ (cookie >>> 16), address: length === 4 ? raw.join('.') : ipv6Text(raw) }
}

/** The 16 bytes of an IPv6 address, `::` and a trailing IPv4 address included; a zone is left out. */
function ipv6Bytes(address: string): Buffer {
  const plain = (address.split('%')[0] as string).replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [a * 256 + Number(b), c * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  )
  const [left = '', right] = plain.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [head, tail] = [groups(left), groups(right ?? '')]
  const bytes = Buffer.alloc(16)
  for (const [index, group] of head.entries()) bytes.writeUInt16BE(group, 2 * index)
  for (const [index, group] of tail.entries()) bytes.writeUInt16BE(group, 16 - 2 * (tail.length - index))
  return bytes
}

function ipv6Text(raw: Buffer): string {
  return Array.from({ length: 8 }, (_, index) => raw.readUInt16BE(2 * index).toString(16)).join(':')
}
