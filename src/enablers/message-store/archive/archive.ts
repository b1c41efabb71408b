import type { Content } from '../mailbox/content.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'
import type { Entry, Format, ImportOptions, Store, Written } from './entry.ts'
import { Import, type Imported } from './import.ts'
import { readJsonArchive } from './json-reader.ts'
import { writeJsonFolder, writeJsonHead, writeJsonObject } from './json-writer.ts'
import { faultIn, Lines } from './lines.ts'
import { readMboxArchive } from './mbox-reader.ts'
import { writeMboxHead, writeMboxObject } from './mbox-writer.ts'

const batch = 200
const folderPage = 500

/** Mailboxes as files: JSON lines, which lose nothing, and mbox, which mail readers can read. Neither holds more than a batch in memory. */
export class Archive {
  readonly #store: Store
  constructor(store: Store) {
    this.#store = store
  }

  /** `onObject` is called after each. */
  async *export(owner: number, user: string, format: Format, onObject = () => {}): AsyncGenerator<Buffer> {
    yield* this.#head(owner, user, format)
    for await (const objects of inBatches(this.#store.all(owner), batch)) {
      const [paths, texts] = await Promise.all([
        this.#store.pathsOf(owner, [...new Set(objects.map(({ folder }) => folder))]),
        this.#store.textsOf(
          owner,
          objects.map(({ id }) => id),
        ),
      ])
      for (const object of objects) {
        const contents = await this.#contentsOf(object)
        const written = { object, path: paths.get(object.folder) ?? '', text: texts.get(object.id) }
        if (contents !== undefined) yield* write(format, written, contents, user)
        onObject()
      }
    }
  }

  /** Says of each line what is wrong with it, and changes nothing. */
  async check(source: AsyncIterable<Buffer>, onFault: ImportOptions['onFault']): Promise<void> {
    await reading(source, async (entries) => {
      for await (const entry of entries) {
        const fault =
          'fault' in entry ? entry.fault : 'object' in entry ? await faultOfContents(entry.object) : undefined
        if (fault !== undefined) onFault(entry.line, fault)
      }
    })
  }

  /** Adds what is not there. Throws `mailbox-full`; what was added by then stays, and a second import goes on from there. */
  async import(owner: number, source: AsyncIterable<Buffer>, options: ImportOptions): Promise<Imported> {
    const into = new Import(this.#store, owner, options)
    await reading(source, async (entries) => {
      for await (const entry of entries) await into.add(entry)
    })
    return await into.end()
  }

  async *#head(owner: number, user: string, format: Format): AsyncGenerator<Buffer> {
    const paths: string[] = []
    if (format === 'jsonl') yield writeJsonHead(user)
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await this.#store.folders(owner, { limit: folderPage, ...(cursor !== undefined && { cursor }) })
      paths.push(...page.folders.map(({ path }) => path).filter((path) => path !== ''))
      cursor = page.cursor
    }
    paths.sort()
    if (format === 'mbox') yield writeMboxHead(user, paths)
    else yield Buffer.concat(paths.map(writeJsonFolder))
  }

  /** Payload and parts; undefined when the object has gone meanwhile. */
  async #contentsOf({ owner, id, contentType, parts }: StoredObject): Promise<Content[] | undefined> {
    const contents: Content[] = []
    if (contentType !== undefined) {
      const payload = await this.#store.content(owner, id)
      if (payload === undefined) return undefined
      contents.push(payload)
    }
    for (const { number } of parts) {
      const part = await this.#store.part(owner, id, number)
      if (part === undefined) return undefined
      contents.push(part)
    }
    return contents
  }
}

const write = (format: Format, written: Written, contents: readonly Content[], user: string) =>
  format === 'mbox' ? writeMboxObject(written, contents, user) : writeJsonObject(written, contents)

/** Gives the entries of a file of either format to `work`. */
async function reading(source: AsyncIterable<Buffer>, work: (entries: AsyncIterable<Entry>) => Promise<void>) {
  const lines = new Lines(source)
  try {
    const first = (await lines.peek())?.bytes
    const isJson = first === undefined || first[0] === 0x7b
    await work(isJson ? readJsonArchive(lines) : readMboxArchive(lines))
  } finally {
    await lines.close()
  }
}

async function faultOfContents({ payload, parts = [] }: Extract<Entry, { object: unknown }>['object']) {
  try {
    for (const { content } of [...(payload ? [payload] : []), ...parts]) {
      if (!Buffer.isBuffer(content)) for await (const _ of content);
    }
    return undefined
  } catch (err) {
    return faultIn(err)
  }
}

async function* inBatches<T>(source: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let held: T[] = []
  for await (const one of source) {
    if (held.push(one) < size) continue
    yield held
    held = []
  }
  if (held.length > 0) yield held
}
