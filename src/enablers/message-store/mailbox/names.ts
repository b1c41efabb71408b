import { toUSVString } from 'node:util'
import { Failure } from '../../../failure.ts'

const longestName = 255
const longestPath = 2_000
const deepestFolder = 32

/** Throws `malformed`: a name has at least one character, and none that ends it in a path. */
export function checkName(name: string): string {
  if (name === '' || name.length > longestName || /[/\p{Cc}]/u.test(name) || name === '.' || name === '..') {
    throw new Failure('malformed', 'not a name of a folder')
  }
  return toUSVString(name)
}

/** Throws `malformed` where it is too long to be looked up. */
export function checkPath(path: string): string {
  if (path.length > longestPath || Buffer.byteLength(path) > longestPath || path.split('/').length > deepestFolder) {
    throw new Failure('malformed', 'folders within folders, too many of them')
  }
  return path
}

export const uuid = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
