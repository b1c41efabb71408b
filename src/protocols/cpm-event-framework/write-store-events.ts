import { escapeAttribute } from '../xml/references.ts'
import { type ObjectReference, type StoreEvent, storeEventsNamespace } from './store-events.ts'

/** The bytes of a document. Events of an unordered store are numbered from 0. */
export function writeStoreEvents(events: readonly StoreEvent[]): Buffer {
  const inside = events.map((event, index) => writeEvent(event, index)).join('')
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<cpm-evfw xmlns="${storeEventsNamespace}">${inside}</cpm-evfw>`,
  )
}

function writeEvent(event: StoreEvent, index: number): string {
  const open = `<event-cpm-imap type="${event.type}" index="${index}"`
  switch (event.type) {
    case 'synchronize':
      return `${open}/>`
    case 'objects':
      return `${open}><operation name="add">${event.objects.map(writeObject).join('')}</operation></event-cpm-imap>`
    case 'flags': {
      const operations = event.operations.map(
        ({ name, flag, objects }) =>
          `<operation name="${name}" flag="${written(flag)}">${objects.map(writeObject).join('')}</operation>`,
      )
      return `${open}>${operations.join('')}</event-cpm-imap>`
    }
  }
}

function writeObject(object: ObjectReference): string {
  const { folderPath, uid, conversationId, contributionId, otherParty, messageId } = object
  const attributes = attribute('uid', uid) + attribute('folder-path', folderPath)
  const elements =
    element('conversation-id', conversationId) +
    element('contribution-id', contributionId) +
    element('other-party', otherParty) +
    element('message-id', messageId)
  return `<object${attributes}>${elements}</object>`
}

const attribute = (name: string, value: string | undefined): string =>
  value === undefined ? '' : ` ${name}="${written(value)}"`
const element = (name: string, value: string | undefined): string =>
  value === undefined ? '' : `<${name}>${written(value)}</${name}>`

/** Characters that XML cannot hold were in no name that a store gives; a peer's may have them. */
const written = (value: string): string =>
  escapeAttribute(value.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')).replaceAll('>', '&gt;')
