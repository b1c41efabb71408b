import { channelNamespace } from '../../../../protocols/nms/structures.ts'
import { type NmsFormat, writeNms } from '../../../../protocols/nms/write-nms.ts'
import type { Notification } from './notification-source.ts'

/**
 * What a channel answers a poll with (OMA REST_NetAPI_NotificationChannel): whole notifications, each with its root. In JSON,
 * where an object has a name once, they are items of a list, as clients in use read it.
 */
export function writeNotificationList(format: NmsFormat, notifications: readonly Notification[]): string {
  const written = notifications.map(({ list }) => writeNms(format, 'nmsEventList', list))
  if (format === 'json') return `{"notificationList":[${written.join(',')}]}`
  const bare = written.map((one) => one.replace(/^<\?xml[^>]*\?>\s*/, ''))
  const name = `nc:notificationList`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns:nc="${channelNamespace}">${bare.join('')}</${name}>`
}
