import type { Socket } from 'node:net'
import type { Wire, WireUser } from './wire.ts'

/** Buffers of this size are written as they are; smaller parts are put together first. */
const largeBytes = 8192

/** TCP, with or without TLS. */
export class StreamWire implements Wire {
  readonly socket: Socket
  readonly framed = false

  constructor(socket: Socket, user: WireUser) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    socket.on('data', (bytes: Buffer) => user.received(bytes))
    socket.on('drain', () => user.drained())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => user.closed())
  }

  get waiting(): number {
    return this.socket.writableLength
  }

  /** Without cork: what waits in a corked stream outlives its writing, in an array out of reach of the quick collector. */
  write(parts: readonly (string | Buffer)[]): void {
    for (let from = 0; from < parts.length; ) {
      const to = endOfSmall(parts, from)
      if (to - from > 1) this.socket.write(joined(parts, from, to))
      else writePart(this.socket, parts[from] as string | Buffer)
      from = Math.max(to, from + 1)
    }
  }

  pause(): void {
    this.socket.pause()
  }

  /** A stream that is only paused reads once more; one with so much to give already does not. */
  stop(bytes: Buffer): Buffer {
    const left = Math.max(0, bytes.length - this.socket.readableHighWaterMark)
    this.socket.pause()
    this.socket.unshift(Buffer.from(bytes.subarray(left))) // a copy: the rest should not stay for its sake
    return bytes.subarray(0, left)
  }

  resume(): void {
    this.socket.resume()
  }

  end(): void {
    this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }
}

function writePart(socket: Socket, part: string | Buffer): void {
  if (typeof part === 'string') socket.write(part, 'latin1')
  else socket.write(part)
}

const isLarge = (part: string | Buffer | undefined) => typeof part === 'object' && part.length >= largeBytes

function endOfSmall(parts: readonly (string | Buffer)[], from: number): number {
  let to = from
  while (to < parts.length && !isLarge(parts[to])) to++
  return to
}

/** Parts from `from` to before `to` as one buffer; text is latin1, so its length is that of its bytes. */
export function joined(parts: readonly (string | Buffer)[], from: number, to: number): Buffer {
  let length = 0
  for (let at = from; at < to; at++) length += (parts[at] as string | Buffer).length
  const bytes = Buffer.allocUnsafe(length)
  let end = 0
  for (let at = from; at < to; at++) {
    const part = parts[at] as string | Buffer
    end += typeof part === 'string' ? bytes.write(part, end, 'latin1') : part.copy(bytes, end)
  }
  return bytes
}
