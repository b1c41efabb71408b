import {
  ListedUris,
  ListMembers,
  ListPackage,
  PresenceAuthorisation,
  PresencePackage,
  PresenceState,
  PublicationServer,
  Publications,
  WatcherInfoPackage,
} from '../enablers/presence/index.ts'
import type { DocumentChange, Documents } from '../enablers/xdm/index.ts'
import type { Addresses } from '../signalling/manager/addresses.ts'
import type { Subscriptions } from '../signalling/subscriptions/index.ts'
import type { Parts } from './parts.ts'
import type { Started } from './started.ts'

const publicationLimits = { bytes: 65_536, maxExpires: 86_400, usualExpires: 3_600 }

interface Around {
  readonly addresses: Addresses
  readonly subscriptions: Subscriptions
  readonly documents: Documents
}

/** Presence: what users publish, who may see it, and who is told of it. */
export function buildPresence(parts: Parts, around: Around, started: Started): PublicationServer {
  const { config, metrics, database, subscribers, bindings } = parts
  const { addresses, subscriptions, documents } = around
  const subscriberOf = (aor: string) => subscribers.find(aor)
  const changed = (owner: number) => void tell(parts, around, owner, 'state')
  const publications = new Publications({
    database,
    now: Date.now,
    changed,
    onBatch: (size) => metrics.batch('publications', size),
  })
  started.add(() => publications.close())
  started.add(bindings.onChanged(changed))
  started.add(documents.onChanged((change) => documentChanged(parts, around, change)))
  const state = new PresenceState({
    publicationsOf: (owner) => publications.of(owner),
    hardStateOf: (owner) => documents.find({ owner, auid: 'pidf-manipulation', name: 'index' }),
    devicesOf: (owner) => bindings.of(owner),
  })
  const listed = new ListedUris({
    documentOf: (owner, name) => documents.find({ owner, auid: 'resource-lists', name }),
    ownerOf: async (xui) => (await subscriberOf(addresses.of(xui) ?? ''))?.id,
  })
  const authorisation = new PresenceAuthorisation({
    rulesOf: (owner) => rulesOf(documents, owner),
    listed: async (owner, uri) => new Set((await listed.of(owner, uri)).map((one) => addresses.of(one) ?? one)),
    addressOf: (uri) => addresses.of(uri),
    unruled: config.presence.unruled,
    now: Date.now,
  })
  const watchersChanged = (resource: string) => subscriptions.changed('presence.winfo', resource)
  const single = new PresencePackage({ subscriberOf, authorisation, state, watchersChanged })
  const members = new ListMembers({
    servicesOf: (owner) => documents.find({ owner, auid: 'rls-services', name: 'index' }),
    listed: (owner, uri) => listed.of(owner, uri),
    addressOf: (uri) => addresses.of(uri),
  })
  subscriptions.register(
    new ListPackage({
      single,
      members: (watcher) => members.of(watcher),
      watch: (watcher, onChanged) => subscriptions.watch(single, watcher, onChanged),
      limits: { members: config.presence.listMembers },
    }),
  )
  const watchersOf = (resource: string) => subscriptions.of('presence', resource)
  const decide: PresenceAuthorisation['decide'] = (owner, watcher) => authorisation.decide(owner, watcher)
  subscriptions.register(new WatcherInfoPackage({ subscriberOf, watchersOf, decide }))
  const limits = {
    ...publicationLimits,
    publications: config.presence.publications,
    minExpires: config.subscriptions.minExpires,
  }
  return new PublicationServer({ publications, subscriberOf, now: Date.now, limits })
}

const ruleUsages = ['org.openmobilealliance.pres-rules', 'pres-rules']
/** What a user watches, and whom the rules name. */
const listUsages = ['rls-services', 'resource-lists']

/** The rules of OMA come before those of the IETF where a user has both. */
async function rulesOf(documents: Documents, owner: number) {
  for (const [auid, name] of [
    ['org.openmobilealliance.pres-rules', 'pres-rules'],
    ['pres-rules', 'index'],
  ] as const) {
    const found = await documents.find({ owner, auid, name })
    if (found !== undefined) return found
  }
  return undefined
}

function documentChanged(parts: Parts, around: Around, { key }: DocumentChange): void {
  if (key.auid === 'pidf-manipulation') void tell(parts, around, key.owner, 'state')
  else if (ruleUsages.includes(key.auid)) void tell(parts, around, key.owner, 'authorisation')
  else if (listUsages.includes(key.auid)) void tell(parts, around, key.owner, 'lists')
}

/** On this node: whoever calls it hears of the changes of others. */
async function tell(
  { subscribers, log }: Parts,
  { subscriptions }: Around,
  owner: number,
  what: 'state' | 'authorisation' | 'lists',
) {
  try {
    const subscriber = await subscribers.byId(owner)
    for (const identity of subscriber?.identities ?? []) {
      if (what === 'state') subscriptions.changedHere('presence', identity)
      else subscriptions.authorisationChangedHere('presence', identity)
      if (what === 'lists') subscriptions.listsChangedHere('presence', identity)
    }
  } catch (err) {
    log.warn({ part: 'presence', err, owner }, 'a change of presence was not told')
  }
}
