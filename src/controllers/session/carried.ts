import { storageRequestHeader } from '../../protocols/cpm/storage-request.ts'
import { featuresOf } from '../../protocols/sip/accept-contact.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipResponse } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { writeParams } from '../../protocols/sip/params.ts'
import type { Fields, Reply } from './dialogs.ts'

/** What each dialog, transaction and hop says for itself; all else is for the other party. */
const ofThisLeg: ReadonlySet<string> = new Set([
  'via',
  'from',
  'to',
  'call-id',
  'cseq',
  'max-forwards',
  'contact',
  'route',
  'record-route',
  'path',
  'service-route',
  'allow',
  'supported',
  'require',
  'proxy-require',
  'unsupported',
  'session-expires',
  'min-se',
  'rseq',
  'rack',
  'replaces',
  'target-dialog',
  'timestamp',
  'authorization',
  'proxy-authorization',
  'authentication-info',
  'p-preferred-identity',
  'p-asserted-identity',
  'p-preferred-service',
  'content-length',
  storageRequestHeader,
])

/** The header fields that go across, as they came and in their order. */
export function carried(headers: Headers, alsoRemoved?: string): Fields {
  const lines: (readonly [string, string])[] = []
  for (const [name, written, value] of headers.entries()) {
    if (!ofThisLeg.has(name) && name !== alsoRemoved) lines.push([written, value])
  }
  return lines
}

/** What a party can do (RFC 3840), as the Contact of the server says it; where the party is stays with the server. */
export function featuresIn(headers: Headers, hidesInstance = false): Fields {
  try {
    const features = new Map(featuresOf(readNameAddr(headers.get('contact') ?? '').params))
    if (hidesInstance) features.delete('+sip.instance')
    return features.size === 0 ? [] : [['Contact', `<sip:features.invalid>${writeParams(features)}`]]
  } catch (err) {
    if (err instanceof MalformedSip) return []
    throw err
  }
}

/** A response of one party as the other gets it. `body` takes the place of its own. */
export function relayed({ status, reason, headers, body }: SipResponse, changed?: Buffer): Reply {
  return { status, reason, headers: carried(headers), body: changed ?? body }
}

/** The same without its body, and what tells of it. */
export function relayedHead({ status, reason, headers }: SipResponse): Reply {
  return { status, reason, headers: carried(headers).filter(([name]) => !/^content-/i.test(name)) }
}
