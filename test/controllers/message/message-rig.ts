import { randomUUID } from 'node:crypto'
import type { Device } from '../../../src/controllers/message/device.ts'
import { buildMessages, type MessageController, type Policy } from '../../../src/controllers/message/index.ts'
import type { Sender } from '../../../src/controllers/message/pager-message.ts'
import type { MessageReply } from '../../../src/controllers/message/reply.ts'
import type { Sending, Target } from '../../../src/controllers/message/sending.ts'
import { featuresOf } from '../../../src/protocols/sip/accept-contact.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest, SipResponse } from '../../../src/protocols/sip/message.ts'
import { readParams } from '../../../src/protocols/sip/params.ts'
import { type TestDatabase, testDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { quiet } from '../../support/quiet-log.ts'

interface User {
  readonly id: number
  readonly identities: readonly string[]
}

export const alice: User = { id: 1, identities: ['sip:alice@parley.test', 'tel:+15550001'] }
export const bob: User = { id: 2, identities: ['sip:bob@parley.test', 'tel:+15550002'] }
export const carol: User = { id: 3, identities: ['sip:carol@parley.test'] }

/** What reached a device; it stays open until the test answers. */
export interface Received {
  readonly request: SipRequest
  readonly target: Target
  answer(status: number, options?: { local?: boolean; toTag?: string }): void
}

/** A device at the far end of `send`: it answers as told, or waits for the test. */
export class TestPhone {
  readonly binding: Device
  readonly received: Received[] = []
  answers: number | 'wait' | ((request: SipRequest) => number)
  #taken = 0
  constructor(binding: Device, answers: TestPhone['answers']) {
    this.binding = binding
    this.answers = answers
  }

  /** The next request that reached this device. */
  async next(): Promise<Received> {
    const at = this.#taken++
    return await eventually(() => {
      const received = this.received[at]
      if (received === undefined) throw new Error('nothing received')
      return received
    })
  }
}

const policy: Policy = {
  maxBytes: 65_536,
  keepDays: 7,
  deliverWithin: 4000,
  absent: 'keep',
  maxRecipients: 10,
  maxQueue: 1000,
  retry: { first: 1000, longest: 60_000 },
  alone: true,
}

/** What waits here are pager messages. */
const noSessions = {
  invite: (): never => {
    throw new Error('no INVITE is expected')
  },
  openEndpoint: (): never => {
    throw new Error('no session is expected')
  },
}

export interface RigOptions extends Partial<Policy> {
  /** Everything is part of the history of everybody. */
  readonly storing?: boolean
}

/** The message controller on a real Postgres; devices, subscribers and clock are the test's own. */
export class MessageRig {
  readonly controller: MessageController
  readonly database: TestDatabase['database']
  readonly phones = new Map<string, TestPhone>()
  readonly foreign: Received[] = []
  readonly dropped: string[] = []
  readonly known = new Map<number, string[]>()
  trustedPeers: readonly string[] = []
  statements = 0
  /** What the clock is ahead. */
  ahead = 0
  /** A clock that stands still gives what is handled twice the same Date. */
  time = Date.now
  readonly #db: TestDatabase
  readonly #build: () => MessageController
  readonly #open = new Set<(status: number, options?: { local?: boolean }) => void>()

  constructor(db: TestDatabase, { storing = false, ...change }: RigOptions) {
    this.#db = db
    this.database = db.database
    const counting = Object.create(db.database) as TestDatabase['database']
    counting.query = (statement, values) => {
      this.statements += 1
      return db.database.query(statement, values)
    }
    this.#build = () =>
      buildMessages({
        database: counting,
        now: () => this.time() + this.ahead,
        random: () => 0.5,
        newId: randomUUID,
        policy: { ...policy, ...change },
        subscriberOf: (aor) => [alice, bob, carol].find(({ identities }) => identities.includes(aor)),
        devicesOf: (owner) =>
          [...this.phones.values()].map(({ binding }) => binding).filter((each) => each.owner === owner),
        settingsOf: () => undefined,
        stores: () => storing,
        mayStore: () => storing,
        knownDevices: (owner) => this.known.get(owner) ?? [],
        dropBinding: async (_owner, key) => {
          this.dropped.push(key)
          this.phones.delete(key)
        },
        send: (request, target) => this.#send(request, target),
        ...noSessions,
        isLocal: (domain) => domain === 'parley.test',
        isTrustedPeer: (domain) => this.trustedPeers.includes(domain),
        ownUri: () => 'sip:parley.test',
        mark: async () => undefined,
        log: { ...quiet, debug: () => {} },
      }).controller
    this.controller = this.#build()
  }

  static async start(change: RigOptions = {}): Promise<MessageRig> {
    const rig = new MessageRig(await testDatabase(), change)
    await rig.controller.start()
    return rig
  }

  /** A device that is there; `instance` makes it known for good. */
  phone(user: User, name: string, options: { answers?: TestPhone['answers']; features?: string; regId?: number } = {}) {
    const { answers = 200, features = '', regId = 0 } = options
    const key = regId === 0 ? name : `${name}#${regId}`
    const binding: Device = {
      owner: user.id,
      key,
      device: name,
      contact: `sip:${key}@192.0.2.1:5070`,
      path: [],
      flow: `flow-${key}`,
      regId,
      transport: 'udp',
      features: featuresOf(readParams(features)),
    }
    const phone = new TestPhone(binding, answers)
    this.phones.set(key, phone)
    return phone
  }

  /** As `phone`, through the registrar: what waits is delivered. */
  register(user: User, name: string, options: Parameters<MessageRig['phone']>[2] = {}): TestPhone {
    const phone = this.phone(user, name, options)
    this.controller.deviceRegistered(phone.binding)
    return phone
  }

  /** Another process on the same database, which remembers nothing. */
  restarted(): MessageController {
    return this.#build()
  }

  leave(phone: TestPhone): void {
    this.phones.delete(phone.binding.key)
  }

  message(from: User, to: string, text: string, options: MessageOptions = {}): Promise<MessageReply> {
    return this.controller.handlePagerMessage(requestFor(from, to, text, options))
  }

  /** Rows of the queue. */
  async waiting(): Promise<{ owner: number; device: string; attempts: number; leased: boolean }[]> {
    const rows = await this.database
      .knex('deferred')
      .select('owner', 'device', 'attempts', 'leased_until')
      .orderBy(['arrived', 'device'])
    return rows.map(({ owner, device, attempts, leased_until }) => ({
      owner,
      device,
      attempts,
      leased: leased_until !== null,
    }))
  }

  async rows(): Promise<{ owner: number; direction: string; stored: boolean; disposition: number }[]> {
    return await this.database.knex('messages').select('owner', 'direction', 'stored', 'disposition').orderBy('owner')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.controller.close()
    for (const answer of this.#open) answer(408, { local: true })
    await closing
    await this.#db.close()
  }

  #send(request: SipRequest, target: Target): Sending {
    let answer: Received['answer'] = () => {}
    const final: Sending['final'] = new Promise((resolve) => {
      answer = (status, { local = false, toTag = 'far' } = {}) => {
        this.#open.delete(answer)
        const to = `${request.headers.get('to')};tag=${toTag}`
        resolve({ response: new SipResponse(status, 'As Told', new Headers([['To', to]])), local })
      }
    })
    this.#open.add(answer)
    const received = { request, target, answer }
    const phone = [...this.phones.values()].find(({ binding }) => binding.contact === request.uri)
    if (phone === undefined && request.uri.includes('@192.0.2.1')) {
      setImmediate(() => answer(430, { local: true }))
    } else if (phone === undefined) this.foreign.push(received)
    else {
      phone.received.push(received)
      const { answers } = phone
      const status = typeof answers === 'function' ? answers(request) : answers
      if (status !== 'wait') setImmediate(() => answer(status))
    }
    return { final, abandon: () => answer(408, { local: true }) }
  }
}

export interface MessageOptions {
  readonly headers?: readonly (readonly [string, string])[]
  readonly callId?: string
  readonly contentType?: string
  readonly sender?: Partial<Sender>
  readonly body?: Buffer
}

let calls = 0

export function requestFor(from: User, to: string, text: string, options: MessageOptions = {}) {
  const headers = new Headers([
    ['Via', 'SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1'],
    ['Max-Forwards', '70'],
    ['From', `<${from.identities[0]}>;tag=a`],
    ['To', `<${to}>`],
    ['Call-ID', options.callId ?? `call-${++calls}`],
    ['CSeq', '20 MESSAGE'],
    ...(options.headers ?? []),
    ['Content-Type', options.contentType ?? 'text/plain'],
  ])
  const sender: Sender = {
    aor: from.identities[0] as string,
    subscriber: from,
    trusted: false,
    anonymous: false,
    ...options.sender,
  }
  const message = new SipRequest('MESSAGE', to, headers, options.body ?? Buffer.from(text))
  return { message, sender, recipient: to }
}
