import { writeSipDate } from '../../protocols/sip/date.ts'
import type { SipReply } from '../edge/sip-port.ts'
import type { Binding } from './binding.ts'
import type { Registration } from './registration.ts'

interface Registered {
  readonly bindings: readonly Binding[]
  readonly registration: Registration
  readonly identities: readonly string[]
  readonly serviceRoute: string
  /** Where a binding was made with outbound. */
  readonly flowTimer: number | undefined
  readonly now: number
}

type Header = readonly [name: string, value: string]

/** The 200 to REGISTER: all that is bound, each with the time that is left (RFC 3261 §10.3 step 8). */
export function registrationReply(registered: Registered): SipReply {
  const { bindings, registration, identities, serviceRoute, flowTimer, now } = registered
  const headers: Header[] = bindings.map((binding) => ['Contact', contactOf(binding, now)] as const)
  headers.push(
    ['P-Associated-URI', identities.map(associated).join(', ')],
    ['Service-Route', serviceRoute],
    ['Supported', 'path, outbound'],
    ['Date', writeSipDate(now)],
  )
  // RFC 3327 §5.3: told back to a client that understands it
  if (registration.path.length > 0 && registration.supported.has('path')) {
    headers.push(['Path', registration.path.join(', ')])
  }
  if (flowTimer !== undefined) headers.push(['Require', 'outbound'], ['Flow-Timer', String(flowTimer)])
  return { status: 200, headers }
}

function contactOf(binding: Binding, now: number): string {
  const q = binding.q === 1000 ? '' : `;q=${binding.q / 1000}`
  const instance = binding.hasInstance ? `;+sip.instance="<${binding.device}>"` : ''
  const regId = binding.regId === 0 ? '' : `;reg-id=${binding.regId}`
  const expires = Math.ceil((binding.expiresAt - now) / 1000)
  return `<${binding.contact}>${q}${instance}${regId}${binding.params};expires=${expires}`
}

/** RFC 7315 §4.1; a number as a SIP address says that it is one (RFC 3261 §19.1.6). */
const associated = (uri: string) => (uri.startsWith('sip:+') ? `<${uri};user=phone>` : `<${uri}>`)
