/** Characters; their words in five languages fit into what Postgres takes. */
const mostIndexed = 20_000
/** Written without spaces between words: each character counts as a word, and a word as a phrase. */
const unspaced = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/gu
const notOfWords = /[^\p{L}\p{M}\p{N}]+/gu

/** Texts as full-text search takes them: words in lower case with spaces between, so that its parser has nothing to guess. */
export function indexedText(...texts: readonly (string | undefined)[]): string {
  let all = ''
  for (const text of texts) {
    if (text === undefined || text === '') continue
    if (all.length + text.length > mostIndexed) return all + plainWords(text.slice(0, mostIndexed - all.length))
    all += `${plainWords(text)} `
  }
  return all
}

/** The words of what is searched for, in order; those of a script without spaces are lists of characters. */
export function searchedWords(text: string, most: number): string[][] {
  const words = text.normalize('NFKC').toLowerCase().split(notOfWords)
  return words
    .filter((word) => word !== '')
    .slice(0, most)
    .map((word) => spaced(word).trim().split(/ +/))
}

function plainWords(text: string): string {
  return spaced(text.normalize('NFKC').toLowerCase().replace(notOfWords, ' '))
}

const spaced = (text: string): string => text.replace(unspaced, ' $& ')
