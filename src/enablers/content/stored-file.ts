import { randomBytes } from 'node:crypto'

export type Role = 'file' | 'thumbnail'

/** Whose file it is, and the random part of its link. */
export interface FileKey {
  readonly owner: number
  readonly id: Buffer
}

export interface StoredFile extends FileKey {
  readonly role: Role
  readonly name: string | undefined
  readonly contentType: string
  readonly size: number
  readonly complete: boolean
  /** Milliseconds since 1970. */
  readonly created: number
  readonly until: number
}

/** A file while it comes in: only the last request that began with it may add to it. */
export interface Writing extends FileKey {
  readonly writer: string
  /** Most bytes that it may have. */
  readonly reserved: number
  /** Bytes that are there already. */
  readonly size: number
}

/** Bytes of one row; all but the last of a file have as many. */
export const chunkBytes = 1_048_576

const idBytes = 32
const ownerBytes = 6
const form = new RegExp(`^[A-Za-z0-9_-]{${Math.ceil(((idBytes + ownerBytes) * 8) / 6)}}$`)

/** 256 bits that nobody guesses. */
export const newId = (): Buffer => randomBytes(idBytes)

/** The last part of the link to a file. */
export function writeLink({ owner, id }: FileKey): string {
  const link = Buffer.alloc(ownerBytes + idBytes)
  link.writeUIntBE(owner, 0, ownerBytes)
  id.copy(link, ownerBytes)
  return link.toString('base64url')
}

/** Undefined where it leads nowhere. */
export function readLink(link: string): FileKey | undefined {
  if (!form.test(link)) return undefined
  const bytes = Buffer.from(link, 'base64url')
  const key = { owner: bytes.readUIntBE(0, ownerBytes), id: bytes.subarray(ownerBytes) }
  return writeLink(key) === link ? key : undefined
}
