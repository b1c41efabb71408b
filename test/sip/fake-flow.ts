import type { Flow, FlowUser } from '../../src/sip/transport/flow.ts'

/** A flow that keeps what is sent, and closes when it is told to. */
export class FakeFlow implements Flow {
  readonly name = 'fake'
  readonly localAddress = '10.0.0.1'
  readonly localPort = 5060
  readonly remoteAddress = '10.0.0.2'
  readonly remotePort = 5060
  readonly reliable: boolean
  readonly watchers = new Set<FlowUser>()
  sent: string[] = []
  open = true

  constructor(reliable: boolean) {
    this.reliable = reliable
  }

  get transport() {
    return this.reliable ? 'tcp' : 'udp'
  }

  send(bytes: Buffer): boolean {
    if (this.open) this.sent.push(bytes.toString())
    return this.open
  }

  /** What was sent since the last call. */
  takeSent(): string[] {
    return this.sent.splice(0)
  }

  watch(user: FlowUser): void {
    this.watchers.add(user)
  }

  unwatch(user: FlowUser): void {
    this.watchers.delete(user)
  }

  close(): void {
    this.open = false
    for (const user of [...this.watchers]) user.onFlowClosed()
  }
}
