import { fmtp } from './attribute-values.ts'
import { attributes } from './attributes.ts'
import type { MediaDescription } from './session-description.ts'

/** What a party and the floor server agree on (OMA PoC Control Plane §5.2.3: a=fmtp:TBCP). */
export interface TalkBurstParameters {
  /** A request may wait in a queue. */
  readonly queueing: boolean
  /** The highest priority that a request may have: 1 normal, 2 high, 3 pre-emptive. */
  readonly priority: number
}

/** The m= line that controls the floor. */
export const isTalkBurstControl = ({ media, protocol, formats }: MediaDescription): boolean =>
  media === 'application' && protocol.toLowerCase() === 'udp' && formats.includes('TBCP')

/** What its writer is capable of, or has agreed to; without the parameter neither is. */
export function readTalkBurstParameters(media: MediaDescription): TalkBurstParameters {
  const values = new Map<string, string>()
  for (const [, format = '', parameters = ''] of attributes(media, 'fmtp').map((value) => fmtp.exec(value) ?? [])) {
    if (format !== 'TBCP') continue
    for (const one of parameters.split(';')) {
      const [name = '', value = ''] = one.split('=', 2)
      values.set(name.trim().toLowerCase(), value.trim())
    }
  }
  const priority = Number(values.get('tb_priority') ?? 1)
  return { queueing: values.get('queuing') === '1', priority: priority >= 1 && priority <= 3 ? priority : 1 }
}

/** What both are capable of. */
export function commonTalkBurst(one: TalkBurstParameters, other: TalkBurstParameters): TalkBurstParameters {
  return { queueing: one.queueing && other.queueing, priority: Math.min(one.priority, other.priority) }
}

/** A copy with these parameters in place of those that it had. */
export function withTalkBurstParameters(
  media: MediaDescription,
  { queueing, priority }: TalkBurstParameters,
): MediaDescription {
  const rest = media.attributes.filter(({ name, value = '' }) => name !== 'fmtp' || !value.startsWith('TBCP '))
  const value = `TBCP queuing=${queueing ? 1 : 0}; tb_priority=${priority}; timestamp=0`
  return { ...media, formats: ['TBCP'], attributes: [...rest, { name: 'fmtp', value }] }
}
