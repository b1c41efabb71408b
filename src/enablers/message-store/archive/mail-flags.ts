/** Flags that mail readers keep in Status and X-Status, by the letter there. */
const letters = [
  ['Status', 'R', '\\Seen'],
  ['X-Status', 'A', '\\Answered'],
  ['X-Status', 'F', '\\Flagged'],
  ['X-Status', 'T', '\\Draft'],
  ['X-Status', 'D', '\\Deleted'],
] as const

const isOfMail = (flag: string) => letters.some(([, , name]) => name.toLowerCase() === flag.toLowerCase())

/** The header fields that say so. */
export function statusOf(flags: readonly string[]): string[] {
  const held = new Set(flags.map((flag) => flag.toLowerCase()))
  const of = (field: string) => letters.filter(([name, , flag]) => name === field && held.has(flag.toLowerCase()))
  const others = flags.filter((flag) => !isOfMail(flag) && /^[!-~]{1,100}$/.test(flag))
  return [
    `Status: ${of('Status')
      .map(([, letter]) => letter)
      .join('')}O`,
    `X-Status: ${of('X-Status')
      .map(([, letter]) => letter)
      .join('')}`,
    ...(others.length > 0 ? [`X-Keywords: ${others.sort().join(' ').slice(0, 900)}`] : []),
  ]
}

/** The flags that an object was written with, as a mail reader may have changed them since. */
export function flagsOf(written: readonly string[], field: (name: string) => string | undefined): string[] {
  const kept = written.filter((flag) => !isOfMail(flag) || field('status') === undefined)
  if (field('status') === undefined) return kept
  const said = letters.filter(([name, letter]) => field(name.toLowerCase())?.includes(letter)).map(([, , flag]) => flag)
  return [...kept, ...said.map((flag) => written.find((one) => one.toLowerCase() === flag.toLowerCase()) ?? flag)]
}
