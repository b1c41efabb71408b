import { expect, test } from 'vitest'
import type { Endpoint, Invitation } from '../../../src/controllers/message/dialogs.ts'
import { LargeMessageController } from '../../../src/controllers/message/large-message-controller.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../../src/protocols/sip/message.ts'
import { chatSdp } from '../../support/chat-sdp.ts'

const alice = { aor: 'sip:alice@parley.test', trusted: false, anonymous: false }
const bob = 'sip:bob@parley.test'

/** An INVITE whose answer is told. */
function invitation() {
  const dialog = { state: 'early' as const, serve() {}, bye: async () => {} }
  const headers = new Headers([['Call-ID', 'call-1']])
  const body = Buffer.from(chatSdp({ path: 'msrp://client.invalid:9/one;tcp' }))
  const made = {
    message: new SipRequest('INVITE', bob, headers, body),
    dialog,
    accepted: 0,
    cancel: () => {},
    accept: () => {
      made.accepted += 1
      return dialog
    },
    onCancelled: (listener: () => void) => {
      made.cancel = listener
    },
  }
  return made satisfies Invitation
}

function controllerWith(change: { maxIntakes?: number; room?: boolean } = {}) {
  const closed: Endpoint[] = []
  const openEndpoint = (): Endpoint => ({
    onClosed: undefined,
    peer: undefined,
    answer: async (offer) => offer,
    offer: () => Buffer.alloc(0),
    answered: async () => {},
    send: async () => {},
    close() {
      closed.push(this)
    },
  })
  const controller = new LargeMessageController<Invitation>({
    subscriberOf: () => ({ id: 2, identities: [bob] }),
    devicesOf: () => [],
    settingsOf: () => undefined,
    mayStore: () => false,
    knownDevices: () => [],
    isLocal: () => true,
    relay: () => Promise.reject(new Error('nobody is there')),
    store: async () => {},
    takeIn: async () => {},
    openEndpoint,
    hasRoomFor: () => change.room ?? true,
    policy: { absent: 'keep', deliverWithin: 1000 },
    maxBytes: 1_000_000,
    maxIntakes: change.maxIntakes ?? 10,
    log: { debug() {}, info() {}, warn() {} },
  })
  return { controller, closed }
}

test('when as many messages come in as may be, the next sender is asked to come again', async () => {
  const { controller } = controllerWith({ maxIntakes: 1 })
  const first = invitation()
  await controller.handleInvitation(first, alice, bob)
  expect([first.accepted, controller.inUse]).toEqual([1, 1])
  const second = controller.handleInvitation(invitation(), alice, bob)
  await expect(second).rejects.toMatchObject({ condition: 'overloaded', retryAfter: 10 })
  await controller.close(AbortSignal.abort())
  expect([controller.inUse, controller.peak, controller.limit]).toEqual([0, 1, 1])
})

test('when there is no memory for one more, the sender is asked to come again, and nothing is held', async () => {
  const { controller } = controllerWith({ room: false })
  const refused = controller.handleInvitation(invitation(), alice, bob)
  await expect(refused).rejects.toMatchObject({ condition: 'overloaded' })
  expect(controller.inUse).toBe(0)
})

test('a sender who gives up before the answer leaves nothing behind', async () => {
  const { controller, closed } = controllerWith()
  const given = invitation()
  const handled = controller.handleInvitation(given, alice, bob)
  await Promise.resolve()
  while (controller.inUse === 0) await Promise.resolve()
  given.cancel()
  await handled
  expect([given.accepted, controller.inUse, closed.length]).toEqual([0, 0, 1])
})

test('a server that closes takes in nothing more', async () => {
  const { controller } = controllerWith()
  await controller.close(AbortSignal.abort())
  await expect(controller.handleInvitation(invitation(), alice, bob)).rejects.toMatchObject({ condition: 'overloaded' })
})
