import type { Socket } from 'node:net'

/** The bytes of one connection, whatever carries them. */
export interface Wire {
  /** The TCP or TLS connection below. */
  readonly socket: Socket
  /** True for WebSocket: each frame is one message there, and large ones must be whole in the peer's memory. */
  readonly framed: boolean
  /** Bytes that the peer has not taken yet. */
  readonly waiting: number
  /** Text is latin1. */
  write(parts: readonly (string | Buffer)[]): void
  pause(): void
  /** Pauses in the middle of what has just come: returns what of it must be taken now, the rest comes again later. */
  stop(bytes: Buffer): Buffer
  resume(): void
  /** Closes when all is written. */
  end(): void
  destroy(): void
}

/** What uses a wire. */
export interface WireUser {
  received(bytes: Buffer): void
  /** All that waited is with the peer. */
  drained(): void
  closed(): void
}
