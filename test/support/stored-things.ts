import { ContentClient } from './content-client.ts'
import { HttpClient } from './http-client.ts'
import { attachments, multipart, NmsClient, newObject } from './nms-client.ts'
import type { TestServer } from './start-server.ts'

/** What a user has in the store and around it, each with their word in it, by the paths that it has for its owner. */
export interface StoredThings {
  readonly nms: NmsClient
  readonly http: HttpClient
  readonly content: ContentClient
  /** Such as `/objects/…`, below the box. */
  readonly object: string
  readonly folder: string
  readonly subscription: string
  readonly channel: string
  /** A cursor of a search. */
  readonly cursor: string
  /** What waits: its id. */
  readonly waiting: string
  /** Of an upload that has ended. */
  readonly tid: string
  readonly link: string
}

/** The message waits before the first phone registers: it is to be called before. */
export async function storeThings(server: TestServer, user: string, secret: string): Promise<StoredThings> {
  const phone = await server.phone(user)
  const { status } = await phone.message(phone.aor, secret)
  if (status !== 202) throw new Error(`what should wait got ${status}`)
  phone.close()
  const [nms, http, content] = [
    await NmsClient.open(server, user),
    new HttpClient(server, user),
    await ContentClient.open(server, user),
  ]
  const tid = `tid-of-${secret}`
  const link = await content.up({ body: secret, fileName: `${secret}.jpg` }, tid)
  const made = newObject({ Subject: secret }, { parentFolderPath: `/${secret}`, flags: { flag: [secret] } })
  const part = { headers: { 'Content-Type': 'text/plain' }, body: secret }
  const entries = [attachments('multipart/mixed; boundary="inner"', multipart([part, part], 'inner'))]
  const objects = [await nms.upload(made, entries), await nms.upload(made, entries)]
  for (const { status, text } of objects) if (status !== 201) throw new Error(`${status} ${text}`)
  const object = below(nms, objects[0]?.location ?? '')
  const { parentFolder = '' } = (await nms.get(object)).read('object')
  const subscription = await nms.send('POST', '/subscriptions', 'nmsSubscription', {
    callbackReference: { notifyURL: `http://127.0.0.1:9/${secret}`, callbackData: secret },
    duration: 600,
  })
  const channel = await nms.send('POST', channels(nms), 'notificationChannel', {
    ...{ channelType: 'LongPolling', applicationTag: secret, channelLifetime: 600 },
  })
  const found = await nms.send('POST', '/objects/operations/search', 'selectionCriteria', { maxEntries: 1 })
  const waiting = JSON.parse((await http.get('/waiting')).text).messages[0]
  return {
    ...{ nms, http, content, tid, link, object },
    folder: below(nms, parentFolder),
    subscription: below(nms, subscription.location),
    channel: channel.location.slice(channel.location.lastIndexOf('/') + 1),
    cursor: found.read('objectList').cursor ?? '',
    waiting: waiting.id,
  }
}

/** A URL that the server gave, as a path in the box. */
function below({ http, box }: NmsClient, url: string): string {
  const start = `${http}${box}`
  if (!url.startsWith(start)) throw new Error(`${url} is not in ${start}`)
  return url.slice(start.length)
}

/** The URL of the channels that belong to a box. */
export const channels = ({ http, box }: NmsClient) => `${http}/notificationchannel/v1/${box.split('/').at(-1)}/channels`
