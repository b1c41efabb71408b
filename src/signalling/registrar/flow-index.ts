import type { Binding } from './binding.ts'

/** Which bindings a stream carries. Mostly one: a map of its own comes with the second. */
export class FlowIndex {
  readonly #byFlow = new Map<string, Binding | Map<string, Binding>>()

  add(binding: Binding): void {
    if (!isStream(binding)) return
    const present = this.#byFlow.get(binding.flow)
    if (present instanceof Map) present.set(nameOf(binding), binding)
    else if (present === undefined || nameOf(present) === nameOf(binding)) this.#byFlow.set(binding.flow, binding)
    else this.#byFlow.set(binding.flow, new Map([present, binding].map((each) => [nameOf(each), each])))
  }

  remove(binding: Binding): void {
    if (!isStream(binding)) return
    const present = this.#byFlow.get(binding.flow)
    if (present instanceof Map) {
      present.delete(nameOf(binding))
      if (present.size === 0) this.#byFlow.delete(binding.flow)
    } else if (present !== undefined && nameOf(present) === nameOf(binding)) this.#byFlow.delete(binding.flow)
  }

  /** All that `flow` carries; it carries nothing from now on. */
  take(flow: string): Binding[] {
    const present = this.#byFlow.get(flow)
    this.#byFlow.delete(flow)
    if (present === undefined) return []
    return present instanceof Map ? [...present.values()] : [present]
  }
}

/** A datagram has no connection that could close. */
const isStream = (binding: Binding) => binding.flow !== '' && binding.transport !== 'udp'

const nameOf = (binding: Binding) => `${binding.owner} ${binding.key}`
