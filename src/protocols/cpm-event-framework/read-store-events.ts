import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { stringValue } from '../xml/string-value.ts'
import type { XmlElement } from '../xml/xml-element.ts'
import { MalformedEvent } from './malformed-event.ts'
import { type FlagsOperation, type ObjectReference, type StoreEvent, storeEventsNamespace } from './store-events.ts'

export interface StoreEventLimits {
  readonly bytes: number
  /** All operations together. */
  readonly objects: number
}

export const storeEventLimits: StoreEventLimits = { bytes: 262_144, objects: 500 }

const depth = 8
const longestText = 1024
const longestFlag = 64

/**
 * Reads a document of events. Those of a type that is not known are passed over, since the framework grows by them.
 * Throws MalformedEvent.
 */
export function readStoreEvents(bytes: Buffer, limits: StoreEventLimits = storeEventLimits): readonly StoreEvent[] {
  if (bytes.length > limits.bytes) throw new MalformedEvent('too large')
  try {
    return new EventReader(bytes.toString('utf8'), limits).read()
  } catch (err) {
    if (err instanceof MalformedXml) throw new MalformedEvent(err.message, { cause: err })
    throw err
  }
}

class EventReader {
  readonly #text: string
  readonly #most: number
  #objects = 0

  constructor(text: string, { objects }: StoreEventLimits) {
    this.#text = text
    this.#most = objects
  }

  read(): readonly StoreEvent[] {
    const root = readElements(this.#text, { depth, elements: this.#most * 8 + 100 })
    checkNames(this.#text, root)
    if (root.name !== 'cpm-evfw' || root.namespace !== storeEventsNamespace) throw new MalformedEvent('another root')
    return childrenOf(root, 'event-cpm-imap').flatMap((event) => this.#event(event) ?? [])
  }

  #event(event: XmlElement): StoreEvent | undefined {
    switch (attributeOf(event, 'type')) {
      case 'flags':
        return { type: 'flags', operations: childrenOf(event, 'operation').map((one) => this.#operation(one)) }
      case 'objects':
        return { type: 'objects', objects: childrenOf(event, 'operation').flatMap((one) => this.#objectsIn(one)) }
      case 'synchronize':
        return { type: 'synchronize' }
      case undefined:
        throw new MalformedEvent('an event without type')
      default:
        return undefined
    }
  }

  #operation(operation: XmlElement): FlagsOperation {
    const name = attributeOf(operation, 'name')
    const flag = attributeOf(operation, 'flag') ?? ''
    if (name !== 'add' && name !== 'remove') throw new MalformedEvent('an operation that nobody knows')
    if (!/^[\x21-\x7e]+$/.test(flag) || flag.length > longestFlag) throw new MalformedEvent('no flag')
    return { name, flag, objects: this.#objectsIn(operation) }
  }

  #objectsIn(operation: XmlElement): ObjectReference[] {
    const found = childrenOf(operation, 'object')
    this.#objects += found.length
    if (this.#objects > this.#most) throw new MalformedEvent('too many objects')
    return found.map((object) => this.#object(object))
  }

  #object(object: XmlElement): ObjectReference {
    const text = (name: string) => {
      const [first] = childrenOf(object, name)
      return first && bounded(stringValue(this.#text, first).trim())
    }
    return {
      ...given('folderPath', bounded(attributeOf(object, 'folder-path'))),
      ...given('uid', bounded(attributeOf(object, 'uid'))),
      ...given('conversationId', text('conversation-id')),
      ...given('contributionId', text('contribution-id')),
      ...given('otherParty', text('other-party')),
      ...given('messageId', text('message-id')),
    }
  }
}

/** `readElements` takes any end tag for the right one. */
function checkNames(text: string, element: XmlElement): void {
  const isEmpty = element.end === element.contentEnd
  const name = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`
  if (!isEmpty && text.slice(element.contentEnd, element.end).replace(/\s*>$/, '') !== `</${name}`)
    throw new MalformedEvent('an end tag of another element')
  for (const child of element.children) checkNames(text, child)
}

function bounded(text: string | undefined): string | undefined {
  if (text !== undefined && text.length > longestText) throw new MalformedEvent('a name that is too long')
  return text === '' ? undefined : text
}

const childrenOf = ({ children }: XmlElement, name: string): readonly XmlElement[] =>
  children.filter((child) => child.name === name && child.namespace === storeEventsNamespace)
const attributeOf = ({ attributes }: XmlElement, name: string): string | undefined =>
  attributes.find((one) => one.name === name && one.namespace === '')?.value

const given = <Name extends string>(name: Name, value: string | undefined): { [key in Name]?: string } =>
  value === undefined ? {} : ({ [name]: value } as { [key in Name]?: string })
