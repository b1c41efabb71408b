import { Failure } from '../../failure.ts'
import { reginfoType, writeReginfo } from '../../protocols/reginfo/reginfo.ts'
import type { Binding } from './binding.ts'

interface Subscriber {
  readonly id: number
  readonly identities: readonly string[]
}

interface Watcher {
  readonly resource: string
  readonly owner: number | undefined
  /** Notifications before this one. */
  readonly sequence: number
}

interface Needs {
  readonly subscriberOf: (aor: string) => Subscriber | undefined | Promise<Subscriber | undefined>
  readonly bindingsOf: (owner: number) => readonly Binding[] | Promise<readonly Binding[]>
  readonly now: () => number
}

/** Registration state (RFC 3680): for the user, all of whose addresses are registered together (3GPP TS 24.229 §5.4.2.1). */
export class RegistrationPackage {
  readonly name = 'reg'
  readonly contentTypes = [reginfoType]
  readonly expires = { max: 604_800, usual: 3_761 }
  readonly interval = 1_000
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  async authorise({ resource, owner }: Watcher): Promise<'active'> {
    const watched = await this.#needs.subscriberOf(resource)
    if (owner === undefined || watched?.id !== owner) throw new Failure('forbidden')
    return 'active'
  }

  async notification(watcher: Watcher): Promise<{ contentType: string; content: Buffer }> {
    const subscriber = await this.#needs.subscriberOf(watcher.resource)
    const bindings = subscriber === undefined ? [] : await this.#needs.bindingsOf(subscriber.id)
    const addresses = (subscriber?.identities ?? []).map((aor, index) => ({
      aor,
      id: `r${index}`,
      contacts: bindings.map((binding) => this.#contactOf(binding)),
    }))
    return { contentType: reginfoType, content: writeReginfo(watcher.sequence, addresses) }
  }

  #contactOf({ key, contact, expiresAt, callId, cseq }: Binding) {
    const expires = Math.max(0, Math.round((expiresAt - this.#needs.now()) / 1_000))
    return { id: key, uri: contact, event: 'registered' as const, expires, callId, cseq }
  }
}
