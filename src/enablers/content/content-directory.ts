import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ByteRange } from '../../protocols/http/byte-ranges.ts'
import type { ByteStore, ByteWriter } from './byte-store.ts'
import { DiskWriter } from './disk-writer.ts'
import type { FileKey, StoredFile, Writing } from './stored-file.ts'

interface Needs {
  /** Several nodes have to share it. */
  readonly dir: string
  /** Commits that a file has so many bytes. Throws a Refusal where another request has taken over. */
  readonly progress: (writing: Writing, size: number) => Promise<void>
}

const readAtOnce = 262_144

/** The bytes of files on disk: one folder for each user, one file for each of theirs. */
export class ContentDirectory implements ByteStore {
  readonly #needs: Needs
  readonly #writers = new Map<string, DiskWriter>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** What came after the last commit is cut off, and nobody else writes there any more. */
  async writer(writing: Writing): Promise<ByteWriter> {
    const path = this.#pathOf(writing)
    await this.#writers.get(path)?.yield()
    await mkdir(this.#folderOf(writing.owner), { recursive: true, mode: 0o700 })
    const file = await open(path, writing.size === 0 ? 'w' : 'r+', 0o600)
    const writer = new DiskWriter({
      file,
      writing,
      progress: (size) => this.#needs.progress(writing, size),
      onClosed: () => this.#forget(path, writer),
    })
    this.#writers.set(path, writer)
    await file.truncate(writing.size)
    await syncFolder(this.#folderOf(writing.owner))
    return writer
  }

  read(file: StoredFile, { start, end }: ByteRange): Readable {
    return createReadStream(this.#pathOf(file), { start, end, highWaterMark: readAtOnce })
  }

  async remove(gone: FileKey): Promise<void> {
    await rm(this.#pathOf(gone), { force: true })
  }

  /** Removes what is there without a row, of all users: rows may go while no node is there to hear. */
  async tidy(filesOf: (owner: number) => Promise<readonly FileKey[]>): Promise<void> {
    for (const folder of await namesIn(this.#needs.dir)) {
      if (/^\d+$/.test(folder)) await this.tidyOwner(Number(folder), filesOf)
    }
  }

  /** The folder is looked at before the rows: of a file that begins the row comes first. */
  async tidyOwner(owner: number, filesOf: (owner: number) => Promise<readonly FileKey[]>): Promise<void> {
    const folder = this.#folderOf(owner)
    const there = await namesIn(folder)
    const known = new Set((await filesOf(owner)).map(nameOf))
    for (const name of there) if (!known.has(name)) await rm(join(folder, name), { force: true })
    if (known.size === 0) await rmdir(folder).catch(() => {}) // it is not there, or in use again
  }

  #forget(path: string, writer: DiskWriter): void {
    if (this.#writers.get(path) === writer) this.#writers.delete(path)
  }

  #folderOf = (owner: number) => join(this.#needs.dir, String(owner))
  #pathOf = (key: FileKey) => join(this.#folderOf(key.owner), nameOf(key))
}

const namesIn = (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => [])

/** Whoever sees the folder does not have the links. */
const nameOf = ({ id }: FileKey) => createHash('sha256').update('file name').update(id).digest('hex')

/** A new file is in its folder after a crash as well. */
async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle | undefined
  try {
    folder = await open(path, 'r')
    await folder.sync()
  } finally {
    await folder?.close()
  }
}
