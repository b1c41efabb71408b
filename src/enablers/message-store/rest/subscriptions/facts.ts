import { type Folder, rootId } from '../../mailbox/folder.ts'
import type { StoredObject } from '../../mailbox/stored-object.ts'
import { attributesOf } from '../present-object.ts'
import type { Facts } from './event-filter.ts'
import type { Event } from './events.ts'
import type { NmsSubscription } from './nms-subscriptions.ts'

/** What a filter may ask of a change. */
export function factsOf(
  { kind, of }: Event,
  subscription: Pick<NmsSubscription, 'identity' | 'born'>,
  text: string,
): Facts {
  if (kind === 'object') return objectFacts(of as StoredObject, subscription, text)
  return kind === 'folder' ? folderFacts(of as Folder) : goneFacts(kind === 'gone-object')
}

function objectFacts(object: StoredObject, { identity, born }: Parameters<typeof factsOf>[1], text: string): Facts {
  const { flags, date, created } = object
  const attributes = new Map(
    attributesOf(object, identity, undefined).map(({ name, value = [] }) => [name.toLowerCase(), value]),
  )
  return { vanished: false, gone: false, attributes, flags, date, text, isNew: created > born }
}

function folderFacts({ id, name, date }: Folder): Facts {
  const root = id === rootId ? 'Yes' : 'No'
  const attributes = new Map([['root', [root]] as const, ['name', [name]] as const])
  return { vanished: false, gone: false, attributes, flags: [], date, text: '', isNew: false }
}

const goneFacts = (vanished: boolean): Facts => ({
  ...{ vanished, gone: true, attributes: new Map(), flags: [], date: undefined, text: '', isNew: false },
})
