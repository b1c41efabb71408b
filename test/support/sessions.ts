import { expect } from 'vitest'
import { chatSdp } from './chat-sdp.ts'
import { eventually } from './eventually.ts'
import type { Phone, RegisterOptions } from './phone.ts'
import { awaitCalls, type PhoneDialog, PlacedCall, ReceivedCall, respondTo, type Said } from './phone-call.ts'
import type { SipText } from './sip-text.ts'
import type { TestServer } from './start-server.ts'

/** A registered phone whose INVITEs the test answers. */
export async function callable(server: TestServer, user: string, how: RegisterOptions = {}): Promise<Phone> {
  const phone = await server.phone(user)
  expect((await phone.register(how)).status).toBe(200)
  awaitCalls(phone)
  return phone
}

/** A description of a chat at an address where nobody listens. */
export const chatOf = (name: string, more: { readonly version?: number; readonly more?: string } = {}): string =>
  chatSdp({ path: `msrp://client.invalid:9/${name};tcp`, ...more })

export interface Established {
  readonly invite: SipText
  readonly response: SipText
  /** What the callee got for its 200. */
  readonly ack: SipText
  readonly atCaller: PhoneDialog
  readonly atCallee: PhoneDialog
}

/** A session, its ACK received. */
export async function connect(caller: Phone, callee: Phone, said: Said = {}): Promise<Established> {
  const placed = new PlacedCall(caller, callee.aor, { sdp: chatOf(caller.user), ...said })
  const received = await ReceivedCall.next(callee)
  const answering = received.answer(chatOf(callee.user))
  const { response, dialog } = await placed.answered()
  const { ack, dialog: atCallee } = await answering
  return { invite: received.invite, response, ack, atCaller: dialog, atCallee }
}

const tagOf = (value: string | undefined) => /;tag=([^;]+)/.exec(value ?? '')?.[1] ?? ''

/** The dialog of the callee as another device names it (RFC 3891 §6.1): the server's tag, then the phone's. */
export const replacesCallee = ({ ack, atCallee }: Established): string =>
  `${atCallee.callId};to-tag=${tagOf(ack.header('From'))};from-tag=${tagOf(ack.header('To'))}`

/** The dialog of the caller. */
export const replacesCaller = ({ response, atCaller }: Established): string =>
  `${atCaller.callId};to-tag=${tagOf(response.header('To'))};from-tag=${tagOf(response.header('From'))}`

/** The answer of a phone to a later INVITE, acknowledged. */
export async function acceptOffer(phone: Phone, dialog: PhoneDialog, sdp: string): Promise<SipText> {
  const offer = await dialog.receive('INVITE')
  respondTo(phone, offer, 200, { sdp })
  await dialog.receive('ACK')
  return offer
}

/** Nothing is held any more, and nothing is stored. */
export async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    const names = ['parley_sessions', 'parley_msrp_sessions', 'parley_rtp_ports']
    const held = await Promise.all(names.map((name) => server.metric(name)))
    expect(held.map((count) => count || 0)).toEqual([0, 0, 0])
    expect(await server.query('select session from dialogs')).toEqual([])
  })
}
