import { Failure } from '../../failure.ts'
import { type Avatar, readAvatar } from './avatar.ts'
import { type Contact, namespace, readContacts, writeEntry } from './contact.ts'

export interface Principal {
  readonly id: number
  readonly identities: readonly string[]
}

interface XcapRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE'
  readonly target: string
  readonly principal: Principal
  readonly contentType?: string
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
  readonly body: Buffer
}

interface XcapReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

/** The door to all documents: what it permits, checks and tells of goes for contacts as well. */
export interface Xcap {
  handle(request: XcapRequest): Promise<XcapReply>
}

interface Conditions {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
}

/** A document, or nothing where none is. */
interface Found {
  readonly content: Buffer
  readonly etag: string
}

const nothing = Buffer.alloc(0)
const elementType = 'application/xcap-el+xml'
const listType = 'application/resource-lists+xml'
const emptyList = `<list xmlns="${namespace}" name="contacts"/>`
const listSelector = `/~~/resource-lists/list%5B@name=%22contacts%22%5D`
const maxTries = 10
const absent: ReadonlySet<string> = new Set(['not-found', 'forbidden', 'malformed'])

/** The one contact list of a user: the list `contacts` of the resource-lists document `index`. */
export class ContactList {
  readonly #xcap: Xcap

  constructor(xcap: Xcap) {
    this.#xcap = xcap
  }

  async all(user: Principal): Promise<readonly Contact[]> {
    const document = await this.#document(user)
    return (document && readContacts(document.content)) ?? []
  }

  async find(user: Principal, uri: string): Promise<Contact | undefined> {
    return (await this.all(user)).find((contact) => contact.uri === uri)
  }

  /** Resolves with the status: 200, 201, 412. */
  async put(user: Principal, uri: string, displayName: string | undefined, conditions: Conditions): Promise<number> {
    return await this.#change(user, uri, conditions, async (document, contact) => {
      const body = writeEntry(uri, displayName)
      if (document === undefined) return await this.#begin(user)
      if (readContacts(document.content) === undefined) return await this.#beginList(user)
      return await this.#write(user, { method: 'PUT', uri, body, ...stillSo(document, contact) })
    })
  }

  /** Resolves with the status: 200, 404, 412. */
  async remove(user: Principal, uri: string, conditions: Conditions): Promise<number> {
    return await this.#change(user, uri, conditions, async (document, contact) => {
      if (document === undefined || contact === undefined) return 404
      return await this.#write(user, { method: 'DELETE', uri, body: nothing, ifMatch: document.etag })
    })
  }

  /** The picture of a contact, where they let this user see it. */
  async avatar(user: Principal, uri: string): Promise<(Avatar & { readonly etag: string }) | undefined> {
    const target = `/org.openmobilealliance.pres-content/users/${encodeURIComponent(uri)}/oma_status-icon/rcs_status_icon`
    const found = await this.#get(user, target)
    const avatar = found && readAvatar(found.content)
    return found && avatar && { ...avatar, etag: found.etag }
  }

  /** Works out from the document as it is what is to be changed, and anew where somebody else was faster. */
  async #change(
    user: Principal,
    uri: string,
    { ifMatch, ifNoneMatch }: Conditions,
    work: (document: Found | undefined, contact: Contact | undefined) => Promise<number | 'again'>,
  ): Promise<number> {
    for (let attempt = 0; attempt < maxTries; attempt++) {
      const document = await this.#document(user)
      const contact = (document && readContacts(document.content))?.find((one) => one.uri === uri)
      if (ifMatch !== undefined && !names(ifMatch, contact)) return 412
      if (ifNoneMatch !== undefined && names(ifNoneMatch, contact)) return 412
      const status = await work(document, contact)
      if (status !== 'again' && status !== 412) return status
    }
    throw new Failure('overloaded', 'too many writers of one list', { retryAfter: 1 })
  }

  async #begin(user: Principal): Promise<'again'> {
    const body = Buffer.from(`<resource-lists xmlns="${namespace}">${emptyList}</resource-lists>`)
    const request = { method: 'PUT', target: documentOf(user), contentType: listType, body } as const
    return again(await this.#xcap.handle({ ...request, principal: user, ifNoneMatch: '*' }))
  }

  async #beginList(user: Principal): Promise<'again'> {
    const target = `${documentOf(user)}${listSelector}`
    const request = { method: 'PUT', target, contentType: elementType, body: Buffer.from(emptyList) } as const
    return again(await this.#xcap.handle({ ...request, principal: user, ifNoneMatch: '*' }))
  }

  async #write(
    user: Principal,
    { uri, ...request }: Pick<XcapRequest, 'method' | 'body' | 'ifMatch' | 'ifNoneMatch'> & { readonly uri: string },
  ): Promise<number> {
    const target = `${documentOf(user)}${listSelector}/entry%5B@uri=%22${encodeURIComponent(uri)}%22%5D`
    const reply = await this.#xcap.handle({ ...request, target, contentType: elementType, principal: user })
    if (reply.status === 409) throw new Failure('conflict', reply.body?.toString('utf8') ?? '')
    return reply.status
  }

  #document(user: Principal): Promise<Found | undefined> {
    return this.#get(user, documentOf(user))
  }

  /** What is not there and what may not be seen is the same. */
  async #get(principal: Principal, target: string): Promise<Found | undefined> {
    try {
      const { headers, body } = await this.#xcap.handle({ method: 'GET', target, principal, body: nothing })
      return body && { content: body, etag: headers.etag ?? '' }
    } catch (err) {
      if (err instanceof Failure && absent.has(err.condition)) return undefined
      throw err
    }
  }
}

const documentOf = ({ identities }: Principal) =>
  `/resource-lists/users/${encodeURIComponent(identities[0] ?? '')}/index`

const stillSo = (document: Found, contact: Contact | undefined) =>
  contact === undefined ? { ifNoneMatch: '*' } : { ifMatch: document.etag }

/** Whether an If-Match or If-None-Match names what is there (RFC 9110 §13.1). */
const names = (condition: string, contact: Contact | undefined): boolean =>
  contact !== undefined && condition.split(',').some((one) => one.trim() === '*' || one.trim() === contact.etag)

/** 412: somebody else has begun it. */
function again({ status, body }: XcapReply): 'again' {
  if (status === 409) throw new Failure('conflict', body?.toString('utf8') ?? '')
  return 'again'
}
