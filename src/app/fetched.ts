import type { NmsOperations } from '../enablers/message-store/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import type { Messaging } from './messaging.ts'
import type { Parts } from './parts.ts'
import type { Started } from './started.ts'

/** What a user has seen at any door of the store waits to be fetched no more. */
export function settleWhatIsSeen(
  { config, log, mailboxes }: Parts,
  { controller }: Messaging,
  settings: ServiceSettings,
  started: Started,
): void {
  const byAll = config.message.absent === 'notify'
  const settling = new Set<Promise<void>>()
  const settle = async (owner: number) => {
    const fetches = byAll || (await settings.of(owner))?.absent === 'notify'
    if (fetches) await controller.waiting.settleSeen(owner)
  }
  const stop = mailboxes.onChanged((owner) => {
    const work: Promise<void> = settle(owner)
      .catch((err) => log.warn({ part: 'messages', owner, err }, 'a message that was seen still waits'))
      .finally(() => settling.delete(work))
    settling.add(work)
  })
  started.add(async () => {
    stop()
    await Promise.all(settling)
  })
}

const reading = ['findObject', 'findPayload', 'findPayloadPart']

/** The operations of the store: a message that is read by one of them is fetched. */
export function fetching(operations: NmsOperations, { controller }: Messaging): NmsOperations {
  const watched = Object.entries(operations).filter(([name]) => reading.includes(name))
  const fetched = watched.map(([name, operation]): readonly [string, typeof operation] => [
    name,
    async (call) => {
      const answer = await operation(call)
      await controller.waiting.fetched(call.owner, [call.params.objectId ?? ''])
      return answer
    },
  ])
  return { ...operations, ...Object.fromEntries(fetched) }
}
