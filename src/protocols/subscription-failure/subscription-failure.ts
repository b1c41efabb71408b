import { mediaType } from '../mime/content-type.ts'
import { readMultipart, writeMultipart } from '../mime/multipart.ts'
import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { escapeAttribute } from '../xml/references.ts'
import { stringValue } from '../xml/string-value.ts'
import { MalformedSubscriptionFailure } from './malformed-subscription-failure.ts'

/** A subscription that was lost, as its subscriber is told of it (interfaces/xml/subscription-failure.xsd). */
export interface SubscriptionFailure {
  readonly package: string
  readonly resource: string
  /** Of the answer to the NOTIFY; 408 where there was none. */
  readonly status: number
  readonly answered: boolean
  /** Milliseconds since 1970. */
  readonly at: number
}

const namespace = 'urn:parley:subscription-failure'
export const subscriptionFailureType = 'application/vnd.parley.subscription-failure+xml'
const limits = { depth: 10, elements: 100 }
const mostBytes = 65_536

/** For people first, for programs second; both say the same. */
export function writeSubscriptionFailure(failure: SubscriptionFailure): { contentType: string; content: Buffer } {
  const boundary = 'subscription-failure'
  const part = (type: string, text: string) => ({
    headers: new Map([['content-type', type]]),
    body: Buffer.from(text),
  })
  const parts = [part('text/plain;charset=UTF-8', textOf(failure)), part(subscriptionFailureType, xmlOf(failure))]
  return { contentType: `multipart/mixed;boundary=${boundary}`, content: writeMultipart(parts, boundary) }
}

const textOf = ({ package: eventPackage, resource, status, answered }: SubscriptionFailure): string =>
  `Your subscription to ${eventPackage} of ${resource} has ended: ` +
  `${answered ? `a notification was answered ${status}` : 'a notification was not answered'}. Please subscribe again.\r\n`

const xmlOf = ({ package: eventPackage, resource, status, answered, at }: SubscriptionFailure): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<subscription-failure xmlns="${namespace}">` +
  `<event>${escapeAttribute(eventPackage)}</event><resource>${escapeAttribute(resource)}</resource>` +
  `<cause status="${status}" answered="${answered}"/><time>${new Date(at).toISOString()}</time></subscription-failure>`

/** Undefined where the body is about something else. Throws MalformedSubscriptionFailure, MalformedMime. */
export function readSubscriptionFailure(contentType: string, body: Buffer): SubscriptionFailure | undefined {
  if (body.length > mostBytes) return undefined
  const type = mediaType(contentType)
  if (type === subscriptionFailureType) return readXml(body)
  if (type !== 'multipart/mixed') return undefined
  const part = readMultipart(body, contentType).find(
    ({ headers }) => mediaType(headers.get('content-type') ?? '') === subscriptionFailureType,
  )
  return part && readXml(part.body)
}

function readXml(body: Buffer): SubscriptionFailure {
  try {
    return failureIn(body.toString('utf8'))
  } catch (err) {
    if (err instanceof MalformedXml) throw wrong(err.message, err)
    throw err
  }
}

function failureIn(text: string): SubscriptionFailure {
  const root = readElements(text, limits)
  if (root.name !== 'subscription-failure' || root.namespace !== namespace) throw wrong('another root element')
  const child = (name: string) => {
    const found = root.children.find((one) => one.name === name && one.namespace === namespace)
    if (found === undefined) throw wrong(`${name} is missing`)
    return found
  }
  const attribute = (name: string) => child('cause').attributes.find((one) => one.name === name)?.value ?? ''
  const at = Date.parse(stringValue(text, child('time')).trim())
  const status = attribute('status')
  if (Number.isNaN(at) || !/^\d{1,5}$/.test(status)) throw wrong('time or status')
  return {
    package: stringValue(text, child('event')).trim(),
    resource: stringValue(text, child('resource')).trim(),
    status: Number(status),
    answered: /^(?:true|1)$/.test(attribute('answered')),
    at,
  }
}

const wrong = (note: string, cause?: unknown) => new MalformedSubscriptionFailure(note, { cause })
