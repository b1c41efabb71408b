const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

export const isId = (text: string): boolean => uuid.test(text)

/** The URLs of one box, as its client calls it: what it knows its resources by (NMS §5.2). */
export class BoxUrls {
  /** `https://host/nms/v1/parley/acr%3Aauth` */
  readonly box: string
  readonly #isOwn: (storeName: string, boxId: string) => boolean

  /** `isOwn`: whether that box is this one too, by another of its names. */
  constructor(box: string, isOwn: (storeName: string, boxId: string) => boolean) {
    this.box = box
    this.#isOwn = isOwn
  }

  object = (id: string): string => `${this.box}/objects/${id}`
  folder = (id: string): string => `${this.box}/folders/${id}`
  flags = (id: string): string => `${this.object(id)}/flags`
  flag = (id: string, name: string): string => `${this.flags(id)}/${encodeURIComponent(name)}`
  payload = (id: string): string => `${this.object(id)}/payload`
  payloadPart = (id: string, number: number): string => `${this.object(id)}/payloadParts/part${number}`
  subscription = (id: string): string => `${this.box}/subscriptions/${id}`
  get subscriptions(): string {
    return `${this.box}/subscriptions`
  }

  objectId = (url: string): string | undefined => this.#idIn(url, 'objects')
  folderId = (url: string): string | undefined => this.#idIn(url, 'folders')

  /** Hosts are not compared: proxies have names of their own. Undefined for what is in no box of this owner's. */
  #idIn(url: string, collection: 'objects' | 'folders'): string | undefined {
    const match = /^(?:https?:\/\/[^/?#]*)?[^?#]*?\/v1\/([^/?#]+)\/([^/?#]+)\/(objects|folders)\/([^/?#]+)$/i.exec(url)
    if (match === null || match[3] !== collection) return undefined
    const [storeName, boxId, , id] = match.slice(1).map(decoded)
    if (storeName === undefined || boxId === undefined || id === undefined) return undefined
    return isId(id) && this.#isOwn(storeName, boxId) ? id.toLowerCase() : undefined
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
