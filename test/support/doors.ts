import type { Attempt, Door } from './door.ts'
import { PhoneSubscription, type SubscribeOptions } from './phone-subscription.ts'
import { presence, type Resident } from './residents.ts'
import { storeDoors } from './store-doors.ts'
import type { XcapAnswer } from './xcap-client.ts'

type Documents = (intruder: Resident, path: string, type: string) => Promise<XcapAnswer>

const ofEachDocument =
  (ask: Documents): Door['enter'] =>
  async (intruder, { documents }) => ({
    answers: await Promise.all(documents.map(({ path, type }) => ask(intruder, path, type))),
  })

const xcap: readonly Door[] = [
  { name: 'GET of a document', answers: [403], enter: ofEachDocument(({ xcap }, path) => xcap.get(path)) },
  { name: 'HEAD of a document', answers: [403], enter: ofEachDocument(({ xcap }, path) => xcap.head(path)) },
  { name: 'GET of an element', answers: [403], enter: ofEachDocument(({ xcap }, path) => xcap.get(`${path}/~~/*`)) },
  { name: 'DELETE of a document', answers: [403], enter: ofEachDocument(({ xcap }, path) => xcap.delete(path)) },
  {
    name: 'PUT of a document',
    answers: [403],
    enter: ofEachDocument(({ xcap, documents }, path, type) =>
      xcap.put(path, documents.find((one) => one.type === type)?.content ?? '', type),
    ),
  },
  {
    name: 'PUT of an attribute',
    answers: [403],
    enter: ofEachDocument(({ xcap }, path) => xcap.putAttribute(`${path}/~~/*/@id`, 'mine')),
  },
  {
    name: 'GET of the directory',
    answers: [403],
    enter: async ({ xcap }, { aor }) => ({
      answers: [await xcap.get(`/org.openmobilealliance.xcap-directory/users/${aor}/directory.xml`)],
    }),
  },
  {
    name: 'GET in the name of the victim',
    answers: [403],
    enter: async ({ xcap }, { aor, documents }) => {
      const headers = { 'x-3gpp-asserted-identity': `"${aor}"`, 'x-xcap-asserted-identity': `"${aor}"` }
      return { answers: await Promise.all(documents.map(({ path }) => xcap.get(path, { headers }))) }
    },
  },
]

/** Subscribes, and takes the first NOTIFY where there is one. */
async function subscribe({ phone }: Resident, event: string, options: SubscribeOptions): Promise<Attempt> {
  const subscription = await PhoneSubscription.try(phone, event, options)
  const { response } = subscription
  if (response.status !== 200) return { answers: [response] }
  const told = await subscription.notify()
  await subscription.refresh(0)
  return { answers: [response], told: [told, await subscription.notify()] }
}

const subscribing = (event: string, answers: readonly number[]): Door => ({
  name: `SUBSCRIBE to ${event}`,
  answers,
  enter: (intruder, { aor }) => subscribe(intruder, event, { resource: aor }),
})

const listOf = (...uris: string[]) =>
  `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${uris.map((uri) => `<entry uri="${uri}"/>`).join('')}</list></resource-lists>`
const asList = (...uris: string[]) => ({
  body: listOf(...uris),
  contentType: 'application/resource-lists+xml',
  headers: { Supported: 'eventlist' },
})

const subscriptions: readonly Door[] = [
  subscribing('presence', [403]),
  subscribing('presence.winfo', [403]),
  subscribing('reg', [403]),
  subscribing('xcap-diff', [403]),
  {
    name: 'SUBSCRIBE to the list',
    answers: [404],
    enter: (intruder, { list }) =>
      subscribe(intruder, 'presence', { resource: list, headers: { Supported: 'eventlist' } }),
  },
  {
    name: 'SUBSCRIBE to a list with the victim in it',
    answers: [200],
    enter: (intruder, { aor, list }) =>
      subscribe(intruder, 'presence', { resource: intruder.aor.replace(intruder.user, 'rls'), ...asList(aor, list) }),
  },
  {
    name: 'SUBSCRIBE to the changes of the documents of the victim',
    answers: [200],
    enter: (intruder, { documents }) =>
      subscribe(intruder, 'xcap-diff', { ...asList(...documents.map(({ path }) => path.slice(1))) }),
  },
  {
    name: 'SUBSCRIBE in the name of the victim',
    answers: [403],
    enter: async ({ phone }, { aor }) => ({
      answers: [
        await phone.request('SUBSCRIBE', aor, {
          from: `<${aor}>`,
          headers: { Event: 'presence', Contact: `<${phone.contact}>` },
        }),
      ],
    }),
  },
  ...([600, 0] as const).map(
    (expires): Door => ({
      name: `SUBSCRIBE with Expires: ${expires} in the dialog of the victim`,
      answers: [481],
      enter: async (intruder, { subscription }) => ({ answers: [await subscription.imitate(intruder.phone, expires)] }),
    }),
  ),
]

const publish = async ({ phone, secret }: Resident, resource: string, etag?: string): Promise<Attempt> => {
  const body = presence(resource, `${secret}-here`)
  const headers = { Event: 'presence', Expires: '600', ...(etag !== undefined && { 'SIP-If-Match': etag }) }
  return {
    answers: [
      await phone.request('PUBLISH', resource, { headers, body, contentType: 'application/pidf+xml' }),
      await phone.request('PUBLISH', resource, { headers: { ...headers, Expires: '0' } }),
    ],
  }
}

const others: readonly Door[] = [
  { name: 'PUBLISH', answers: [403], enter: (intruder, { aor }) => publish(intruder, aor) },
  {
    name: 'PUBLISH with the entity tag of the victim',
    answers: [403],
    enter: (intruder, { aor, etag }) => publish(intruder, aor, etag),
  },
  {
    name: 'PUBLISH of oneself with the entity tag of the victim',
    answers: [412],
    enter: (intruder, { etag }) => publish(intruder, intruder.aor, etag),
  },
  {
    name: 'REGISTER',
    answers: [403],
    enter: async ({ phone }, { aor }) => ({ answers: [await phone.register({ to: `<${aor}>` })] }),
  },
  {
    name: 'REGISTER that asks for the bindings',
    answers: [403],
    enter: async ({ phone }, { aor }) => ({
      answers: [await phone.register({ to: `<${aor}>`, headers: { Contact: undefined } })],
    }),
  },
  {
    name: 'REGISTER that takes the bindings away',
    answers: [403],
    enter: async ({ phone }, { aor }) => ({
      answers: [await phone.register({ to: `<${aor}>`, contact: '*', expires: 0 })],
    }),
  },
]

/** Every way there is; whoever makes another adds it. */
export const doors: readonly Door[] = [...xcap, ...subscriptions, ...others, ...storeDoors]
