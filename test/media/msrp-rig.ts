import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import {
  type DropReason,
  type MsrpLimits,
  MsrpPlane,
  type MsrpSession,
  type MsrpTransport,
  relay,
  type Tap,
} from '../../src/media/msrp/index.ts'
import { certificate } from '../support/certificate.ts'
import { eventually } from '../support/eventually.ts'
import { type ClientOptions, MsrpClient } from '../support/msrp-client.ts'

export const tls = { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }

/** A plane on ports that the kernel chose, and what it counted. When disposed, nothing of it may be left open. */
export class Rig {
  readonly plane: MsrpPlane
  readonly dropped: DropReason[] = []
  readonly refused: number[] = []
  readonly errors: object[] = []
  readonly #ports = new Map<string, number>()

  private constructor(limits: Partial<MsrpLimits>) {
    const listen = (['tcp', 'tls', 'ws', 'wss'] as const).map((transport) => ({
      transport,
      address: '127.0.0.1',
      port: 0,
    }))
    const counters = {
      received: () => {},
      refused: (status: number) => this.refused.push(status),
      dropped: (reason: DropReason) => this.dropped.push(reason),
    }
    const log = { error: (fields: object) => this.errors.push(fields) }
    this.plane = new MsrpPlane({ listen, tls, limits, log, counters })
  }

  static async start(limits: Partial<MsrpLimits> = {}): Promise<Rig> {
    const rig = new Rig(limits)
    for (const { transport, port } of await rig.plane.start()) rig.#ports.set(transport, port)
    return rig
  }

  port(transport: MsrpTransport = 'tcp'): number {
    return this.#ports.get(transport) as number
  }

  client(options: Partial<ClientOptions> = {}): Promise<MsrpClient> {
    return MsrpClient.connect({ port: this.port(options.transport), ...options })
  }

  /** A session for a client over TCP that connects to it. */
  session(messageBytes?: number): MsrpSession {
    return this.plane.open({ secure: false, transport: 'tcp', ...(messageBytes !== undefined && { messageBytes }) })
  }

  /** A session with its client, who has said which one it is. */
  async joined(messageBytes?: number): Promise<{ session: MsrpSession; client: MsrpClient }> {
    const session = this.session(messageBytes)
    const client = await this.client()
    await this.bind(session, client)
    return { session, client }
  }

  async bind(session: MsrpSession, client: MsrpClient): Promise<void> {
    await session.connect({ path: [client.path], setup: 'passive' })
    client.send({ to: session.path })
    expect((await client.receive()).what).toBe('200 OK')
  }

  /** Two clients whose sessions are joined. */
  async pair(tap?: Tap) {
    const [a, b] = [await this.joined(), await this.joined()]
    relay(a.session, b.session, tap)
    return { a, b }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane.close()
    expect(this.errors).toEqual([])
    expect([this.plane.sessions.inUse, this.plane.connections.inUse]).toEqual([0, 0])
  }
}

/** No socket and no timer is left of what a test did. */
export async function nothingOpen(): Promise<void> {
  const left = () => process.getActiveResourcesInfo().filter((name) => /TCP|TLS|^Timeout/.test(name))
  await eventually(() => expect(left()).toEqual([]), 2000)
}
