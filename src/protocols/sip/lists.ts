import { skipQuoted } from './quoted-string.ts'

/** The index of the next comma that is in neither quotes nor angle brackets, or the length of the text. */
export function endOfItem(text: string, from: number): number {
  let inBrackets = false
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34 && !inBrackets) at = skipQuoted(text, at) - 1
    else if (code === 60) inBrackets = true
    else if (code === 62) inBrackets = false
    else if (code === 44 && !inBrackets) return at
  }
  return text.length
}

/** The items of a comma-separated list (RFC 3261 §7.3.1), trimmed; empty ones are not there. */
export function splitList(text: string): string[] {
  if (!text.includes(',')) return text.trim() === '' ? [] : [text.trim()]
  const items: string[] = []
  for (let from = 0; from <= text.length; ) {
    const end = endOfItem(text, from)
    const item = text.slice(from, end).trim()
    if (item !== '') items.push(item)
    from = end + 1
  }
  return items
}
