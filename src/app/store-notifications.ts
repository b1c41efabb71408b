import { AddressRanges } from '../config/address-ranges.ts'
import { StoreNotifications } from '../enablers/message-store/index.ts'
import type { Parts } from './parts.ts'
import type { Started } from './started.ts'

/** Clients of the mailboxes are told of changes, from now on. */
export function buildStoreNotifications({ config, database, mailboxes, metrics, log }: Parts, started: Started) {
  const { perUser: most, callbackTo, giveUpAfter, pollFor: holdFor } = config.storage.notifications
  const permitted = new AddressRanges(callbackTo)
  const notifications = new StoreNotifications({
    ...{ database, mailboxes, most, giveUpAfter, holdFor },
    permits: (address) => permitted.includes(address),
    log: log.child({ part: 'store-notifications' }),
  })
  const name = 'parley_store_notifications'
  metrics.counter(
    `${name}_taken_total`,
    'Callbacks about mailboxes that clients took',
    () => notifications.counts.taken,
  )
  metrics.counter(`${name}_failed_total`, 'Callbacks that came to nothing', () => notifications.counts.failed)
  metrics.gauge('parley_store_polls', 'Polls that wait for a notification', () => notifications.counts.polls)
  notifications.start()
  started.add(() => notifications.close())
  return notifications
}
