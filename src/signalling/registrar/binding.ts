import type { Params } from '../../protocols/sip/params.ts'
import { type Features, featuresFrom } from './features.ts'

export interface BindingFields {
  readonly owner: number
  /** Names the binding among those of its owner: instance and reg-id, else the contact (RFC 5626 §6). */
  readonly key: string
  /** +sip.instance without quotes and brackets, else the contact. */
  readonly device: string
  /** The device said its instance, and is known again when it comes back. */
  readonly hasInstance: boolean
  /** 0 where outbound (RFC 5626) is not used. */
  readonly regId: number
  /** What was registered: the canonical address of record of To. */
  readonly aor: string
  /** A URI. */
  readonly contact: string
  /** Its parameters, but those that have a field of their own. */
  readonly params: string
  /** Route header field values, the first hop first (RFC 3327). */
  readonly path: readonly string[]
  readonly callId: string
  readonly cseq: number
  /** In thousandths. */
  readonly q: number
  readonly userAgent: string
  readonly transport: string
  /** The flow that leads to the device; empty where its contact, or its path, does. */
  readonly flow: string
  /** Where the registration came from. */
  readonly address: string
  readonly port: number
  /** Times in milliseconds. */
  readonly registeredAt: number
  readonly expiresAt: number
}

/** A contact under which a user is reached for a while (RFC 3261 §10). 100,000 of them are held: see each field. */
export class Binding implements BindingFields {
  readonly owner: number
  readonly key: string
  readonly device: string
  readonly hasInstance: boolean
  readonly regId: number
  readonly aor: string
  readonly contact: string
  readonly #features: Features
  readonly path: readonly string[]
  readonly callId: string
  readonly cseq: number
  readonly q: number
  readonly userAgent: string
  readonly transport: string
  readonly flow: string
  readonly address: string
  readonly port: number
  readonly registeredAt: number
  readonly expiresAt: number

  constructor(fields: BindingFields) {
    this.owner = fields.owner
    this.key = fields.key
    this.device = fields.device
    this.hasInstance = fields.hasInstance
    this.regId = fields.regId
    this.aor = fields.aor
    this.contact = fields.contact
    this.#features = featuresFrom(fields.params)
    this.path = fields.path
    this.callId = fields.callId
    this.cseq = fields.cseq
    this.q = fields.q
    this.userAgent = fields.userAgent
    this.transport = fields.transport
    this.flow = fields.flow
    this.address = fields.address
    this.port = fields.port
    this.registeredAt = fields.registeredAt
    this.expiresAt = fields.expiresAt
  }

  get params(): string {
    return this.#features.text
  }

  /** What the device says it can do (RFC 3840), its instance with it, by which a sender may ask for one device alone. */
  get features(): Params {
    const { params } = this.#features
    if (!this.hasInstance) return params
    return new Map(params).set('+sip.instance', `"<${this.device}>"`)
  }

  /** The same, but for what is given. */
  with(change: Partial<BindingFields>): Binding {
    return new Binding({ ...this.fields(), ...change })
  }

  fields(): BindingFields {
    return { ...(this as BindingFields), params: this.params }
  }
}
