import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { readUri } from '../../protocols/sip/uri.ts'
import type { Invitation } from './dialogs.ts'

/** How a party is reached: by what it says, and by where its packets come from. */
export interface Place {
  readonly transport: string
  readonly address: string
  /** The host of its Contact. */
  readonly contact: string
}

interface Binding {
  readonly transport: string
  readonly address: string
  readonly contact: string
  readonly path: readonly string[]
}

/** Undefined where a peer is in between. */
export function placeOfCaller({ message: { headers }, source }: Invitation): Place | undefined {
  if (source.trusted || headers.has('record-route')) return undefined
  const { transport, address } = source
  return { transport, address, contact: hostIn(() => readNameAddr(headers.get('contact') ?? '').uri) }
}

export function placeOfDevice(binding: Binding | undefined): Place | undefined {
  if (binding === undefined || binding.path.length > 0) return undefined
  const { transport, address, contact } = binding
  return { transport, address, contact: hostIn(() => contact) }
}

/** Empty where there is none that can be read. */
function hostIn(uri: () => string): string {
  try {
    return readUri(uri()).host.replace(/^\[|\]$/g, '')
  } catch (err) {
    if (err instanceof MalformedSip) return ''
    throw err
  }
}
