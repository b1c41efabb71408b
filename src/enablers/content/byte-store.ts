import type { Readable } from 'node:stream'
import type { ByteRange } from '../../protocols/http/byte-ranges.ts'
import type { StoredFile, Writing } from './stored-file.ts'

/** Where the bytes of files are: on disk, or in the database. */
export interface ByteStore {
  /** Goes on where the file ends. */
  writer(writing: Writing): Promise<ByteWriter>
  read(file: StoredFile, range: ByteRange): Readable
}

/** Of one file, by one request. Whoever brings bytes faster than they are kept waits. */
export interface ByteWriter {
  readonly writing: Writing
  write(bytes: Buffer): Promise<void>
  /** What came is kept, and counted in the size of the file. */
  stop(): Promise<void>
}
