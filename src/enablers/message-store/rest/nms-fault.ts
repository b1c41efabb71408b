import { type Condition, Failure } from '../../../failure.ts'
import { MalformedMime } from '../../../protocols/mime/malformed-mime.ts'
import { MalformedNms } from '../../../protocols/nms/malformed-nms.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'

/** What service and policy exceptions say (REST_NetAPI_Common §6, NMS §7): `%1` stands for the first variable. */
const texts = {
  SVC0001: 'A service error occurred. Error code is %1',
  SVC0002: 'Invalid input value for message part %1',
  SVC0003: 'Invalid input value for message part %1, valid values are %2',
  SVC0004: 'No valid addresses provided in message part %1',
  SVC0005: 'Correlator %1 specified in message part %2 is a duplicate',
  SVC1009: 'Folder’s path is missing. When more than one root folder exists, folder’s path must be provided.',
  SVC2008: 'Unknown %1 %2',
  POL0001: 'A policy error occurred. Error code is %1',
  POL0010: 'Requested information unavailable as the retention time interval has expired',
  POL0011: 'Media type not supported',
  POL1030: 'Renaming this folder is not allowed',
  POL1031: 'Attempt to create objects or folders under %1 is prohibited',
} as const

export type MessageId = keyof typeof texts

export interface FaultOptions {
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly link?: Structure<'Link'>
  readonly cause?: unknown
}

/** An answer that is an error, as NMS names it. */
export class NmsFault extends Error {
  readonly status: number
  readonly messageId: MessageId
  readonly variables: readonly string[]
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly #link: Structure<'Link'> | undefined

  constructor(status: number, messageId: MessageId, variables: readonly string[] = [], options: FaultOptions = {}) {
    super(`${messageId} ${variables.join(', ')}`, { cause: options.cause })
    this.name = 'NmsFault'
    this.status = status
    this.messageId = messageId
    this.variables = variables
    this.headers = options.headers ?? {}
    this.#link = options.link
  }

  get requestError(): Structure<'RequestError'> {
    const { messageId, variables } = this
    const fault = { messageId, text: texts[messageId], ...(variables.length > 0 && { variables }) }
    const exception = messageId.startsWith('POL') ? { policyException: fault } : { serviceException: fault }
    return { ...(this.#link && { link: [this.#link] }), ...exception }
  }
}

/** Each failure of the domain: status, message id, and the variable where it is not the note of the failure. */
const faults = {
  malformed: [400, 'SVC0002'],
  'unsupported-content': [415, 'POL0011'],
  unauthenticated: [401, 'POL0001', 'unauthenticated'],
  forbidden: [403, 'POL0001', 'forbidden'],
  'recipient-unknown': [404, 'SVC0004'],
  'message-too-large': [413, 'POL0001', 'too-large'],
  'too-many-recipients': [403, 'POL0001', 'too-many'],
  absent: [409, 'SVC0001', 'absent'],
  'too-many-contacts': [409, 'SVC0001', 'too-many-contacts'],
  'interval-too-brief': [400, 'SVC0002'],
  'out-of-order': [409, 'SVC0001', 'out-of-order'],
  'method-not-allowed': [405, 'SVC0001', 'method-not-allowed'],
  'method-unknown': [501, 'SVC0001', 'method-unknown'],
  'event-unknown': [400, 'SVC0002'],
  'extension-required': [400, 'SVC0002'],
  'too-many-attempts': [429, 'POL0001', 'too-many-attempts'],
  overloaded: [503, 'SVC0001', 'overloaded'],
  'database-unavailable': [503, 'SVC0001', 'database-unavailable'],
  unreachable: [502, 'SVC0001', 'unreachable'],
  conflict: [409, 'SVC0002'],
  'not-found': [404, 'SVC0004'],
  'not-acceptable': [406, 'POL0011'],
  'size-exceeded': [413, 'POL0001', 'too-large'],
  'object-unknown': [404, 'SVC0004'],
  'folder-unknown': [404, 'SVC0004'],
  'mailbox-full': [403, 'POL0001', 'mailbox-full'],
  'not-permitted': [403, 'POL0001', 'not-permitted'],
  'cursor-gone': [403, 'POL0010'],
} as const satisfies Record<Condition, readonly [number, MessageId, string?]>

/** The fault that answers `err`; `part` is named where nothing better is known. Undefined: a bug. */
export function faultOf(err: unknown, part: string): NmsFault | undefined {
  if (err instanceof NmsFault) return err
  if (err instanceof MalformedNms) return new NmsFault(400, 'SVC0002', [`${err.message.replace(': ', ' (')})`])
  if (err instanceof MalformedMime) return new NmsFault(400, 'SVC0002', [`${part} (${err.message})`])
  if (err instanceof Failure) return ofFailure(err, part)
  return ofFastify(err, part)
}

/** For what nobody foresaw, of which the client learns nothing. */
export const bugFault = (): NmsFault => new NmsFault(500, 'SVC0001', ['internal'])

function ofFailure(failure: Failure, part: string): NmsFault {
  const [status, messageId, code]: readonly [number, MessageId, string?] = faults[failure.condition]
  const note = failure.message.slice(failure.condition.length + 2)
  const said = messageId === 'SVC0002' && note !== '' ? `${part} (${note})` : part
  const variables = messageId === 'POL0010' || messageId === 'POL0011' ? [] : [code ?? said]
  const { retryAfter } = failure
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  return new NmsFault(status, messageId, variables, { headers, cause: failure })
}

interface Refusal extends Error {
  readonly statusCode: number
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[]
  readonly validationContext?: string
}

/** What fastify refuses by itself: what is not as the OpenAPI document says, too long, or of another type. */
function ofFastify(err: unknown, part: string): NmsFault | undefined {
  if (!(err instanceof Error) || !('statusCode' in err)) return undefined
  const { statusCode, validation, validationContext, message } = err as Refusal
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined
  if (statusCode === 413) return new NmsFault(413, 'POL0001', ['too-large'])
  if (statusCode === 415) return new NmsFault(415, 'POL0011')
  const [first] = validation ?? []
  if (first === undefined) return new NmsFault(statusCode, 'SVC0002', [`${part} (${message})`])
  const at = first.instancePath.slice(1).replaceAll('/', '.')
  const place = validationContext === 'body' && at !== '' ? at : `${validationContext ?? part} ${at}`.trim()
  return new NmsFault(400, 'SVC0002', [`${place} (${first.message ?? 'invalid'})`])
}
