import { Failure } from '../../../failure.ts'

/** As RFC 3501, RFC 3503 and RFC 5788 write them. */
const known = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', '\\Recent', '$MDNSent', '$Forwarded']
const written = new Map([...known, '\\read-report-sent'].map((flag) => [flag.toLowerCase(), flag]))

const mostFlags = 64
const longestFlag = 128

/** Flags as they are stored: each once, in the order of their names, those that are known written as everybody does. */
export function storedFlags(flags: readonly string[]): string[] {
  if (flags.length > mostFlags) throw new Failure('malformed', 'too many flags')
  const named = new Map<string, string>()
  for (const flag of flags) {
    const name = storedFlag(flag)
    if (!named.has(name.toLowerCase())) named.set(name.toLowerCase(), name)
  }
  return [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, flag]) => flag)
}

export function storedFlag(flag: string): string {
  if (flag === '' || flag.length > longestFlag || /[\s\p{Cc}/]/u.test(flag))
    throw new Failure('malformed', 'not a flag')
  return written.get(flag.toLowerCase()) ?? flag
}
