import { askToken, formType as urlencoded } from './access-token.ts'
import { passwordOf } from './add-users.ts'
import { fileForm } from './content-client.ts'
import type { Attempt, Door } from './door.ts'
import { attachments, formType, multipart, NmsClient, newObject, rootFields } from './nms-client.ts'
import type { Resident } from './residents.ts'
import { channels } from './stored-things.ts'
import { exchange } from './xcap-client.ts'

interface Ask {
  readonly method: string
  readonly path: string
  readonly body?: string | Buffer
  readonly type?: string
}

const json = (value: unknown) => ({ body: JSON.stringify(value) })
const post = (path: string, value: unknown): Ask => ({ method: 'POST', path, ...json(value) })

const some = { attributes: { attribute: [] }, flags: { flag: ['\\Seen'] } }
const criteria = { selectionCriteria: { maxEntries: 10 } }
const upload = multipart(
  [rootFields(JSON.stringify({ object: newObject({ Subject: 'mine' }) })), attachments('text/plain', 'mine')],
  'outer',
)

/** All that a client may ask of what is at a path of its box. */
const ofOnePath = ({ stored }: Resident): readonly Ask[] => [
  { method: 'GET', path: stored.object },
  { method: 'DELETE', path: stored.object },
  { method: 'GET', path: `${stored.object}/flags` },
  { method: 'PUT', path: `${stored.object}/flags`, ...json({ flagList: { flag: ['\\Seen'] } }) },
  { method: 'GET', path: `${stored.object}/flags/%5CSeen` },
  { method: 'PUT', path: `${stored.object}/flags/%5CSeen` },
  { method: 'DELETE', path: `${stored.object}/flags/%5CSeen` },
  { method: 'GET', path: `${stored.object}/payload` },
  { method: 'GET', path: `${stored.object}/payloadParts/1` },
  { method: 'GET', path: stored.folder },
  { method: 'DELETE', path: stored.folder },
  { method: 'GET', path: `${stored.folder}/folderName` },
  { method: 'PUT', path: `${stored.folder}/folderName`, ...json({ name: 'mine' }) },
  { method: 'GET', path: stored.subscription },
  { method: 'DELETE', path: stored.subscription },
  post(stored.subscription, { nmsSubscriptionUpdate: { duration: 1 } }),
]

/** And of the box itself. */
const ofTheBox: readonly Ask[] = [
  { method: 'POST', path: '/objects', body: upload, type: formType },
  { method: 'POST', path: '/objects/operations/bulkCreation', body: upload, type: formType },
  post('/objects/operations/search', criteria),
  post('/folders', { folder: { attributes: { attribute: [] }, name: 'mine' } }),
  post('/folders/operations/search', criteria),
  { method: 'GET', path: '/subscriptions' },
  post('/subscriptions', { nmsSubscription: { callbackReference: { notifyURL: 'http://127.0.0.1:9/' } } }),
]

const askAll = async (client: NmsClient, asks: readonly Ask[]): Promise<Attempt> => ({
  answers: await Promise.all(asks.map(({ method, path, ...body }) => client.ask(method, path, body))),
})

/** The box of somebody else, by whatever they are called. */
const boxesOf = (intruder: Resident, { aor, user }: Resident): Promise<NmsClient[]> => {
  const number = { alice: '1', bob: '2', carol: '3' }[user]
  const names = [aor, `tel:+1555000${number}`, aor.toUpperCase().replace('SIP:', 'sip:')]
  return Promise.all(
    names.map((name) =>
      NmsClient.open(intruder.stored.nms, intruder.user, { box: `/nms/v1/parley/${encodeURIComponent(name)}` }),
    ),
  )
}

const everyBox =
  (asks: (victim: Resident) => readonly Ask[]): Door['enter'] =>
  async (intruder, victim) => {
    const attempts = await Promise.all((await boxesOf(intruder, victim)).map((box) => askAll(box, asks(victim))))
    return { answers: attempts.flatMap(({ answers }) => answers) }
  }

const reference = ({ stored: { nms } }: Resident, path: string) => ({ resourceURL: `${nms.http}${nms.box}${path}` })

const nms: readonly Door[] = [
  { name: 'NMS in the box of the victim', answers: [403], enter: everyBox(ofOnePath) },
  { name: 'NMS on the box of the victim', answers: [403], enter: everyBox(() => ofTheBox) },
  {
    name: 'NMS with the ids of the victim in the own box',
    answers: [404],
    enter: (intruder, victim) => askAll(intruder.stored.nms, ofOnePath(victim)),
  },
  {
    name: 'NMS with paths of the victim in the own box',
    answers: [404],
    enter: async ({ stored: { nms } }, { secret }) => {
      const path = (kind: string) => `/${kind}/operations/pathToId?path=${encodeURIComponent(`/${secret}`)}`
      const { answers } = await askAll(nms, [
        { method: 'GET', path: path('objects') },
        { method: 'GET', path: path('folders') },
      ])
      // What was asked is said again.
      return { answers: answers.map(({ status, text }) => ({ status, text: text.replaceAll(`"/${secret}"`, '') })) }
    },
  },
  {
    name: 'NMS moving and copying to and from the victim',
    answers: [400, 403, 404],
    enter: async (intruder, victim) => {
      const [mine, theirs] = [reference(intruder, intruder.stored.folder), reference(victim, victim.stored.folder)]
      const object = reference(victim, victim.stored.object)
      const refs = (folders: object[], objects: object[]) => ({
        folders: { folderReference: folders },
        objects: { objectReference: objects },
      })
      const bodies = [
        { targetRef: mine, sourceRefs: refs([], [object]) },
        { targetRef: mine, sourceRefs: refs([theirs], []) },
        { targetRef: theirs, sourceRefs: refs([], [reference(intruder, intruder.stored.object)]) },
      ]
      const asks = ['copyToFolder', 'moveToFolder'].flatMap((name) =>
        bodies.map((targetSourceRef) => post(`/folders/operations/${name}`, { targetSourceRef })),
      )
      return await askAll(intruder.stored.nms, asks)
    },
  },
  {
    name: 'NMS search with the cursor and in the folder of the victim',
    answers: [400, 403, 404],
    enter: ({ stored: { nms } }, victim) => {
      const searches = [
        { ...criteria.selectionCriteria, fromCursor: victim.stored.cursor },
        { ...criteria.selectionCriteria, searchScope: reference(victim, victim.stored.folder) },
      ]
      return askAll(
        nms,
        searches.map((selectionCriteria) => post('/objects/operations/search', { selectionCriteria })),
      )
    },
  },
  {
    name: 'NMS search for what the victim has',
    answers: [200],
    enter: ({ stored: { nms } }, { secret }) => {
      const criterion = [{ type: 'WholeWord', value: secret }]
      return askAll(nms, [
        post('/objects/operations/search', { selectionCriteria: { maxEntries: 10, searchCriteria: { criterion } } }),
      ])
    },
  },
  {
    name: 'NMS bulk changes of what the victim has',
    answers: [200, 400, 403, 404],
    enter: (intruder, victim) => {
      const objects = {
        objectReference: [
          reference(victim, victim.stored.object),
          { resourceURL: `${intruder.stored.nms.http}${intruder.stored.nms.box}${victim.stored.object}` },
        ],
      }
      return askAll(intruder.stored.nms, [
        post('/objects/operations/bulkUpdate', { bulkUpdate: { objects, operation: 'AddFlag', flags: some.flags } }),
        post('/objects/operations/bulkDelete', { bulkDelete: { objects } }),
      ])
    },
  },
  {
    name: 'the notification channel of the victim',
    answers: [403, 404],
    enter: async (intruder, victim) => {
      const [own, other] = [
        channels(intruder.stored.nms),
        channels(intruder.stored.nms).replace('acr%3Aauth', encodeURIComponent(victim.aor)),
      ]
      const asks = [own, other].flatMap((base): Ask[] => {
        const path = `${base}/${victim.stored.channel}`
        return [
          { method: 'GET', path },
          { method: 'DELETE', path },
          { method: 'POST', path: `${path}/notifications` },
        ]
      })
      return await askAll(intruder.stored.nms, [...asks, { method: 'GET', path: other }])
    },
  },
]

const asIntruder = async ({ stored: { http } }: Resident, asks: readonly Ask[]): Promise<Attempt> => ({
  answers: await Promise.all(
    asks.map(({ method, path, body }) =>
      http.ask(method, path, { ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }) }),
    ),
  ),
})

const around: readonly Door[] = [
  {
    name: 'what waits for the victim',
    answers: [404],
    enter: (intruder, { stored: { waiting } }) =>
      asIntruder(intruder, [
        { method: 'GET', path: `/waiting/${waiting}` },
        { method: 'GET', path: `/waiting/${waiting}/content` },
        { method: 'POST', path: `/waiting/${waiting}/reject` },
        { method: 'DELETE', path: `/waiting/${waiting}` },
      ]),
  },
  {
    name: 'the contacts of the victim',
    answers: [403],
    enter: (intruder, { aor, secret }) => {
      const list = `/contacts/${encodeURIComponent(aor)}`
      const one = `${list}/${encodeURIComponent(`sip:${secret}@x.test`)}`
      return asIntruder(intruder, [
        { method: 'GET', path: list },
        { method: 'GET', path: one },
        { method: 'GET', path: `${one}/avatar` },
        { method: 'PUT', path: one, body: '{}' },
        { method: 'DELETE', path: one },
      ])
    },
  },
  {
    name: 'the uploads of the victim',
    answers: [404],
    enter: async ({ stored: { content } }, { stored: { tid } }) => ({
      answers: [
        await content.uploadInfo(tid),
        await content.downloadInfo(tid),
        await content.put(tid, 'bytes 0-3/4', Buffer.from('mine')),
      ],
    }),
  },
  {
    name: 'DELETE of a file of the victim, by its link',
    answers: [403, 404],
    enter: async ({ stored: { content } }, { stored: { link } }) => ({ answers: [await content.ask('DELETE', link)] }),
  },
  {
    name: 'an upload with the transaction of the victim',
    answers: [200],
    enter: async ({ user, stored: { content } }, { stored: { tid } }) => ({
      answers: [await content.post(fileForm(tid, { body: `of ${user}`, fileName: `${user}.jpg` }))],
    }),
  },
  {
    name: 'a login as the victim',
    answers: [400, 401],
    enter: async ({ user, stored: { nms } }, victim) => ({
      answers: [
        await askToken(nms, { grant_type: 'password', username: victim.user, password: passwordOf(user) }),
        await askToken(nms, { grant_type: 'refresh_token', refresh_token: victim.secret }),
        await exchange(
          nms.http,
          'POST',
          '/oauth/token',
          `grant_type=password&username=${user}&username=${victim.user}&password=${passwordOf(user)}`,
          {
            'content-type': urlencoded,
          },
        ),
      ],
    }),
  },
]

/** The doors to what is stored, and around them. */
export const storeDoors: readonly Door[] = [...nms, ...around]
