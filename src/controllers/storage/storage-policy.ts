/** What can become part of a history. */
export type StoredMedium = 'message' | 'chat' | 'file' | 'voice' | 'video'

/** `ask`: what the user asks for, one by one. */
export type Wish = 'always' | 'ask' | 'never'

export interface Storable {
  /** All addresses of the other party that are known. */
  readonly peers: readonly string[]
  readonly medium: StoredMedium
  /** The owner of the copy has asked for it (`asksForStorage`). */
  readonly asked: boolean
}

/** What a user has said of it: by conversation partner and medium, else in general. */
export interface StorageSettings {
  storageOf(peers: readonly string[], medium: StoredMedium): Wish | undefined
  /** Whether anything is to be stored, ever; undefined: nothing is said of it. */
  readonly storesAny: boolean | undefined
}

export interface StoragePolicyNeeds {
  /** Undefined for those who have not said anything. */
  readonly settingsOf: (owner: number) => StorageSettings | undefined | Promise<StorageSettings | undefined>
  /** Where nobody says anything. */
  readonly otherwise: Wish
  /** What the operator has decided for everybody; `user`: each user decides. */
  readonly media: Readonly<Record<StoredMedium, Wish | 'user'>>
}

/** Whether a user's own copy of something is kept: the operator decides, else the user, else `storage.default` does. */
export class StoragePolicy {
  readonly #needs: StoragePolicyNeeds

  constructor(needs: StoragePolicyNeeds) {
    this.#needs = needs
  }

  stores(owner: number, storable: Storable): boolean | Promise<boolean> {
    const said = this.#needs.settingsOf(owner)
    if (said instanceof Promise) return said.then((settings) => this.storesBy(settings, storable))
    return this.storesBy(said, storable)
  }

  /** The same for who has the user's settings at hand. */
  storesBy(settings: StorageSettings | undefined, { peers, medium, asked }: Storable): boolean {
    const wish = this.#wish(settings, peers, medium)
    return wish === 'always' || (wish === 'ask' && asked)
  }

  /** Whether the user may have it stored who asks for it, as with a REFER: all but `never` of the operator allows that. */
  permits(medium: StoredMedium): boolean {
    return this.#needs.media[medium] !== 'never'
  }

  /** Whether anything may be in the history of who has these settings. */
  mayStore(settings: StorageSettings | undefined): boolean {
    const { media, otherwise } = this.#needs
    const byUser = settings?.storesAny ?? otherwise !== 'never'
    return Object.values(media).some((decided) => (decided === 'user' ? byUser : decided !== 'never'))
  }

  #wish(settings: StorageSettings | undefined, peers: readonly string[], medium: StoredMedium): Wish {
    const decided = this.#needs.media[medium]
    return decided === 'user' ? (settings?.storageOf(peers, medium) ?? this.#needs.otherwise) : decided
  }
}
