import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { MessageController } from '../controllers/message/index.ts'
import type { SessionController } from '../controllers/session/index.ts'
import { SessionHistory, SoundRecordings, StorageController, StoragePolicy } from '../controllers/storage/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import type { MediaBridge } from '../media/bridge/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import type { Transport } from '../signalling/edge/sip-port.ts'
import type { Addresses } from '../signalling/manager/addresses.ts'
import type { Endpoints } from './endpoints.ts'
import { type Parts, useMetrics } from './parts.ts'
import type { Started } from './started.ts'

export function buildStoragePolicy({ storage }: Config, settings: ServiceSettings): StoragePolicy {
  const { message, chat, file, voice, video } = storage
  return new StoragePolicy({
    settingsOf: (owner) => settings.of(owner),
    otherwise: storage.default,
    media: { message, chat, file, voice, video },
  })
}

export interface Around {
  readonly edge: SipEdge
  readonly addresses: Addresses
  readonly policy: StoragePolicy
  readonly messages: MessageController
  readonly sessions: () => SessionController
}

/** What keeps the history of sessions, and records them. */
export async function buildStorage(parts: Parts, around: Around, started: Started): Promise<StorageController> {
  const { config, log, metrics, mailboxes } = parts
  const { edge, addresses, policy, messages, sessions } = around
  const sounds = await startSounds(config, started)
  useMetrics(metrics, 'recordings', 'Sessions of which sound is recorded', sounds)
  const address = addresses.of(config.storage.uri ?? `sip:storage@${config.domain}`) ?? ''
  const controller = new StorageController({
    ...{ address, policy, mailboxes, sounds },
    keep: ({ chat, sender, recipient, message }, copies) =>
      messages.keepSaid({ chat, sender, recipient, content: message }, copies),
    addressOf: (uri) => addresses.of(uri),
    historyOf: ({ callId, localTag, remoteTag }) => {
      const dialog = edge.dialog(callId, localTag, remoteTag)
      const history = dialog && sessions().historyOf(dialog)
      return history instanceof SessionHistory ? history : undefined
    },
    ownUri: (transport) => edge.ownUri(transport as Transport),
    send: async (request, flow) => (await edge.send(request, { flow }).final).response.status,
    now: Date.now,
    newId: randomUUID,
    log: log.child({ part: 'storage' }),
  })
  started.add(() => controller.close())
  return controller
}

async function startSounds({ data, storage }: Config, started: Started): Promise<SoundRecordings> {
  const sounds = new SoundRecordings({
    folder: join(data.dir, 'recordings'),
    now: Date.now,
    longest: storage.maxSound,
    limit: storage.maxRecordings,
  })
  await sounds.start()
  started.add(() => sounds.start())
  return sounds
}

/** How the media of a session are kept, where anything may be; the session's own history is told of them. */
export function keepingOf(history: unknown, { memory }: Endpoints, maxMessageBytes: number) {
  if (!(history instanceof SessionHistory)) return undefined
  return {
    needsAnchor: history.needsAnchor,
    keeping: {
      ...{ memory, maxMessageBytes },
      keepsMessages: () => history.keepsMessages(),
      message: (from: 'caller' | 'callee', message: Parameters<SessionHistory['message']>[1]) =>
        history.message(from, message),
      keepsFiles: () => history.keepsFiles(),
      file: (from: 'caller' | 'callee', file: Parameters<SessionHistory['file']>[1]) => history.file(from, file),
    },
    offered: (bridge: MediaBridge) => history.offered(bridge),
  }
}
