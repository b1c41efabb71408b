/** The one of `names` that takes the fewest changed letters to become `wrong`. */
export function nearest(wrong: string, names: readonly string[]): string {
  const [first = '', ...others] = names
  let best = { name: first, distance: distance(wrong, first) }
  for (const name of others) {
    const changes = distance(wrong, name)
    if (changes < best.distance) best = { name, distance: changes }
  }
  return best.name
}

/** Levenshtein's distance. */
function distance(one: string, other: string): number {
  const [a, b] = [one.toLowerCase().slice(0, 100), other.toLowerCase()]
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
