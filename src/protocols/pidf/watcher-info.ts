import { escapeAttribute } from '../xml/references.ts'

export const watcherInfoType = 'application/watcherinfo+xml'

/** Somebody who watches (RFC 3858 §4). */
export interface WatcherStatus {
  readonly id: string
  readonly uri: string
  readonly status: 'pending' | 'active' | 'waiting' | 'terminated'
  readonly event: 'subscribe' | 'approved' | 'deactivated' | 'rejected' | 'timeout' | 'giveup'
}

/** The whole list; `version` goes up by one with each document of a subscription. */
export function writeWatcherInfo(
  version: number,
  list: { readonly resource: string; readonly package: string; readonly watchers: readonly WatcherStatus[] },
): Buffer {
  const watchers = list.watchers.map(
    ({ id, uri, status, event }) =>
      `<watcher id="${escapeAttribute(id)}" status="${status}" event="${event}">${escapeAttribute(uri)}</watcher>`,
  )
  return Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      `<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="${version}" state="full">` +
      `<watcher-list resource="${escapeAttribute(list.resource)}" package="${escapeAttribute(list.package)}">` +
      `${watchers.join('')}</watcher-list></watcherinfo>\n`,
  )
}
