import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** What the zone of the stand-in holds, by name in lower case. */
export interface Zone {
  readonly [name: string]: {
    readonly a?: readonly string[]
    readonly aaaa?: readonly string[]
    readonly srv?: readonly { priority: number; weight: number; port: number; target: string }[]
    readonly naptr?: readonly {
      order: number
      preference: number
      flags: string
      service: string
      replacement: string
    }[]
  }
}

const types = { a: 1, aaaa: 28, srv: 33, naptr: 35 } as const
type TypeName = keyof typeof types
const nameOfType: ReadonlyMap<number, TypeName> = new Map(
  (Object.keys(types) as TypeName[]).map((name) => [types[name], name]),
)

/** A DNS server on loopback, in place of the world's: answers from its zone, NXDOMAIN to the rest (RFC 1035). */
export class DnsServer {
  zone: Zone
  ttl: number
  /** 'SRV _sip._udp.example.test', in the order asked. */
  readonly asked: string[] = []
  readonly #socket: Socket

  private constructor(socket: Socket, zone: Zone, ttl: number) {
    this.#socket = socket
    this.zone = zone
    this.ttl = ttl
    socket.on('message', (query, from) => socket.send(this.#answer(query), from.port, from.address))
  }

  static async start(zone: Zone, ttl = 60): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new DnsServer(socket, zone, ttl)
  }

  /** `address:port`, as `sip.dns` takes it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
    await once(this.#socket, 'close')
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = readName(query, 12)
    const type = nameOfType.get(query.readUInt16BE(end))
    this.asked.push(`${type?.toUpperCase()} ${name}`)
    const entry = this.zone[name.toLowerCase()]
    const data = entry === undefined || type === undefined ? [] : dataOf(entry, type)
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(entry === undefined ? 0x8583 : 0x8580, 2)
    head.writeUInt16BE(data.length, 6)
    head.fill(0, 8, 12)
    const records = data.map((bytes) => this.#record(query.readUInt16BE(end), bytes))
    return Buffer.concat([head, query.subarray(12, end + 4), ...records])
  }

  /** The name of a record is that of the question, which is at byte 12. */
  #record(type: number, data: Buffer): Buffer {
    const head = Buffer.alloc(12)
    head.writeUInt16BE(0xc00c, 0)
    head.writeUInt16BE(type, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt32BE(this.ttl, 6)
    head.writeUInt16BE(data.length, 10)
    return Buffer.concat([head, data])
  }
}

function readName(bytes: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = []
  let at = from
  for (let length = bytes[at] ?? 0; length !== 0; length = bytes[at] ?? 0) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}

function writeName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  return Buffer.concat([...labels.map((label) => text(label)), Buffer.from([0])])
}

const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')])

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index)
  return bytes
}

function dataOf(entry: Zone[string], type: TypeName): Buffer[] {
  switch (type) {
    case 'a':
      return (entry.a ?? []).map((address) => Buffer.from(address.split('.').map(Number)))
    case 'aaaa':
      return (entry.aaaa ?? []).map((address) => numbers(...groups(address)))
    case 'srv':
      return (entry.srv ?? []).map((srv) =>
        Buffer.concat([numbers(srv.priority, srv.weight, srv.port), writeName(srv.target)]),
      )
    case 'naptr':
      return (entry.naptr ?? []).map((naptr) =>
        Buffer.concat([
          numbers(naptr.order, naptr.preference),
          text(naptr.flags),
          text(naptr.service),
          text(''),
          writeName(naptr.replacement),
        ]),
      )
  }
}

/** The eight groups of an IPv6 address written with `::`. */
function groups(address: string): number[] {
  const [left = '', right = ''] = address.split('::')
  const read = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [head, tail] = [read(left), read(right)]
  return [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail]
}
