import { Failure } from '../../failure.ts'
import { interned } from '../../protocols/sip/own-copy.ts'
import { readUri, sameUri } from '../../protocols/sip/uri.ts'
import type { InboundRequest } from '../edge/sip-port.ts'
import { Binding } from './binding.ts'
import type { Change } from './bindings.ts'
import { flowFor } from './flow-for.ts'
import type { Contact, Registration } from './registration.ts'

/** In seconds, but for the number of contacts. */
export interface Bounds {
  readonly minExpires: number
  readonly maxExpires: number
  readonly defaultExpires: number
  readonly maxContacts: number
}

/** A registration and all that is known of it. */
export interface Context {
  readonly owner: number
  readonly aor: string
  readonly registration: Registration
  readonly request: InboundRequest & { readonly sender: { readonly trusted: boolean } }
  readonly now: number
}

/**
 * What a registration changes in the live bindings of its owner (RFC 3261 §10.3 steps 6 and 7): all of it, or nothing.
 * Throws `out-of-order` and `too-many-contacts`.
 */
export function bindingsAfter(live: readonly Binding[], context: Context, bounds: Bounds): Change {
  const { registration } = context
  if (registration.removesAll) {
    for (const binding of live) checkOrder(binding, registration)
    return { put: [], remove: live }
  }
  const put = new Map<string, Binding>()
  const remove = new Set<Binding>()
  for (const contact of registration.contacts) {
    const present = presentFor(contact, live)
    if (present !== undefined) checkOrder(present, registration)
    const expires = Math.min(contact.expires ?? bounds.defaultExpires, bounds.maxExpires)
    if (expires > 0) {
      const binding = made(contact, expires, present, context)
      put.set(binding.key, binding)
      for (const stale of staleOf(binding, live)) remove.add(stale)
    } else if (present !== undefined) remove.add(present)
  }
  checkNumber(live, put, remove, bounds.maxContacts)
  return { put: [...put.values()], remove: [...remove] }
}

/** One instance and reg-id is one binding, wherever it is (RFC 5626 §6); without outbound one contact is. */
function presentFor(contact: Contact, live: readonly Binding[]): Binding | undefined {
  if (contact.regId > 0) {
    const key = outboundKey(contact)
    return live.find((binding) => binding.key === key)
  }
  const same = (binding: Binding) =>
    binding.contact === contact.uri || sameUri(readUri(binding.contact), contact.parsed)
  return (
    live.find((binding) => binding.regId === 0 && same(binding)) ??
    (contact.expires === 0 ? live.find(same) : undefined)
  )
}

const outboundKey = ({ instance, regId }: Contact) => `${instance} ${regId}`

/** RFC 3261 §10.3 step 7: within one Call-ID only what is newer counts. */
function checkOrder(present: Binding, { callId, cseq }: Registration): void {
  if (present.callId === callId && cseq <= present.cseq) throw new Failure('out-of-order', `CSeq ${cseq}`)
}

function made(contact: Contact, expires: number, present: Binding | undefined, context: Context): Binding {
  const { registration, request, now } = context
  const { message, source } = request
  const key = contact.regId > 0 ? outboundKey(contact) : (present?.key ?? contact.uri)
  return new Binding({
    owner: context.owner,
    key,
    device: contact.instance ?? contact.uri,
    hasInstance: contact.instance !== undefined,
    regId: contact.regId,
    aor: context.aor,
    contact: contact.uri,
    params: contact.params,
    path: registration.path,
    callId: registration.callId,
    cseq: registration.cseq,
    q: contact.q,
    userAgent: interned((message.headers.get('user-agent') ?? '').slice(0, 250)),
    transport: source.transport,
    flow: flowFor(contact, registration, request),
    address: source.address,
    port: source.port,
    registeredAt: now,
    expiresAt: now + expires * 1000,
  })
}

/**
 * What a device left behind when it lost its address: the same instance, registered under another Call-ID, since a
 * device keeps its Call-ID until it starts anew (RFC 3261 §10.2.4). With outbound the key has replaced it already.
 */
function staleOf(binding: Binding, live: readonly Binding[]): Binding[] {
  if (!binding.hasInstance || binding.regId > 0) return []
  return live.filter(
    ({ key, device, regId, callId }) =>
      device === binding.device && regId === 0 && callId !== binding.callId && key !== binding.key,
  )
}

function checkNumber(
  live: readonly Binding[],
  put: ReadonlyMap<string, Binding>,
  remove: ReadonlySet<Binding>,
  most: number,
): void {
  const staying = live.filter((binding) => !put.has(binding.key) && !remove.has(binding))
  if (put.size > 0 && staying.length + put.size > most) throw new Failure('too-many-contacts')
}
