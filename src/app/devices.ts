import { randomUUID } from 'node:crypto'
import { rowIdOf, senderKey } from '../controllers/message/index.ts'
import {
  DeviceCursors,
  DeviceEvents,
  DeviceSynchroniser,
  EventSessions,
  SentCopies,
  ToldFlags,
} from '../enablers/message-store/devices/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import type { Addresses } from '../signalling/manager/addresses.ts'
import type { Endpoints } from './endpoints.ts'
import type { Parts } from './parts.ts'
import type { Started } from './started.ts'

const day = 86_400_000
const mostSessions = 1000

interface Around {
  readonly edge: SipEdge
  readonly addresses: Addresses
  readonly settings: ServiceSettings
  readonly endpoints: Endpoints
}

export interface Devices {
  readonly synchroniser: DeviceSynchroniser
  readonly events: DeviceEvents
  readonly copies: SentCopies
  readonly sessions: EventSessions
}

/** The devices of a user are told of what the others do. */
export function buildDevices(
  parts: Parts,
  { edge, addresses, settings, endpoints }: Around,
  started: Started,
): Devices {
  const { config, log, metrics, database, subscribers, bindings, mailboxes } = parts
  const told = new ToldFlags()
  const cursors = new DeviceCursors(database)
  const storageUri = addresses.of(config.storage.uri ?? `sip:storage@${config.domain}`) ?? ''
  const common = {
    now: Date.now,
    newId: randomUUID,
    told,
    devicesOf: (owner: number) => bindings.of(owner),
    send: edge.send.bind(edge),
    host: config.domain,
  }
  const synchroniser = new DeviceSynchroniser({
    ...{ ...common, mailboxes, cursors, storageUri },
    addressOf: async (owner) => (await subscribers.byId(owner))?.identities[0],
    interval: config.devices.interval,
    rememberMs: config.message.keepDays * day,
    log: log.child({ part: 'devices' }),
  })
  started.add(() => synchroniser.close())
  metrics.queueDepth('devices_in_step', () => synchroniser.depth)
  metrics.counter('parley_store_events_total', 'Events that devices took', () => synchroniser.sent)
  const copies = new SentCopies({
    ...common,
    wants: async (owner) => ((await settings.of(owner))?.copies ?? config.devices.copies) === 'always',
    idOf: ({ message, sender }) => rowIdOf(message, senderKey({ ...sender, trusted: true, anonymous: false })),
  })
  started.add(() => copies.close())
  const canonical = (uri: string) => addresses.of(uri)
  const events = new DeviceEvents({ ...common, mailboxes, cursors, canonical, storageUri })
  const sessions = new EventSessions({
    events,
    devicesOf: common.devicesOf,
    openEndpoint: () => endpoints.open(config.message.maxBytes),
    most: mostSessions,
  })
  started.add(() => sessions.close())
  metrics.gauge('parley_store_event_sessions', 'Sessions in which devices tell of their store', () => sessions.inUse)
  return { synchroniser, events, copies, sessions }
}
