/** The same text without what it may be a slice of: a short string can keep a whole message in memory. */
export const ownCopy = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

const most = 4096
const known = new Map<string, string>()

/** One copy for all that say the same, such as the name of a product. Bounded: a stranger may invent many. */
export function interned(text: string): string {
  const seen = known.get(text)
  if (seen !== undefined) return seen
  const own = ownCopy(text)
  if (known.size < most) known.set(own, own)
  return own
}
