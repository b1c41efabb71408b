import type { Mailboxes, StoredObject } from '../../src/enablers/message-store/index.ts'
import { Failure } from '../../src/failure.ts'

/** A client that knows of a mailbox only what `changes` tells it, a few at a time. */
export class Mirror {
  readonly objects = new Map<string, StoredObject>()
  /** Names and parents by id. */
  readonly folders = new Map<string, string>()
  resets = 0
  readonly #boxes: Mailboxes
  readonly #owner: number
  readonly #limit: number
  #at = 0
  #epoch: string | undefined
  #begun: number | undefined

  constructor(boxes: Mailboxes, owner: number, limit: number) {
    this.#boxes = boxes
    this.#owner = owner
    this.#limit = limit
  }

  /** Until there is nothing more. */
  async sync(): Promise<void> {
    while (await this.step());
  }

  /** One page; false: that was all. */
  async step(): Promise<boolean> {
    try {
      return await this.#page()
    } catch (err) {
      if (!(err instanceof Failure) || err.condition !== 'cursor-gone') throw err
      this.resets += 1
      this.objects.clear()
      this.folders.clear()
      this.#at = 0
      this.#epoch = undefined
      this.#begun = undefined
      return true
    }
  }

  async #page(): Promise<boolean> {
    const page = await this.#boxes.changes(this.#owner, this.#at, this.#limit, {
      ...(this.#epoch !== undefined && { epoch: this.#epoch }),
      ...(this.#begun !== undefined && { begun: this.#begun }),
    })
    for (const object of page.objects) this.objects.set(object.id, object)
    for (const { id, name, parent } of page.folders) this.folders.set(id, `${parent} ${name}`)
    for (const { id } of page.removedObjects) this.objects.delete(id)
    for (const { id } of page.removedFolders) this.folders.delete(id)
    this.#at = page.upTo
    this.#epoch = page.epoch
    this.#begun = page.more ? page.begun : undefined
    return page.more
  }
}

/** The same from the server, without `changes`. */
export async function stateOf(boxes: Mailboxes, owner: number) {
  const objects = new Map<string, StoredObject>()
  for await (const object of boxes.all(owner)) objects.set(object.id, object)
  const { folders } = await boxes.folders(owner, { limit: 100_000 })
  const all = [...folders, await boxes.root(owner)]
  return { objects, folders: new Map(all.map(({ id, name, parent }) => [id, `${parent} ${name}`])) }
}
