import { MalformedXml } from '../xml/malformed-xml.ts'
import { resolveReferences } from '../xml/references.ts'
import { MalformedSearch } from './malformed-search.ts'

/** What a search asks for: the entries of a collection that meet a condition, and what of them is to be told. */
export interface SearchQuery {
  readonly namespace: string | undefined
  /** Such as `org.openmobilealliance.user-profile`. */
  readonly collection: string
  /** The root element and the entry below it. */
  readonly entries: readonly [root: string, entry: string]
  readonly condition: SearchCondition | undefined
  /** Undefined: whole entries. */
  readonly result: { readonly element: string; readonly paths: readonly string[] } | undefined
}

export type SearchCondition =
  | { readonly kind: 'and' | 'or'; readonly of: readonly SearchCondition[] }
  | { readonly kind: 'equals' | 'contains' | 'starts-with'; readonly path: string; readonly value: string }

const longest = 8_192
const mostTests = 20
const mostDepth = 10
const mostPaths = 30

/**
 * Reads the form of XQuery that OMA XDM prints as its template of a search request, and nothing else of that language:
 *
 *     xquery version "1.0"; declare default element namespace "…";
 *     for $u in collection("AUID/users/")/root/entry
 *     where ($u/path = "value") and (… or …) return <entry>{$u/@uri}{$u/path}</entry>
 *
 * Tests are `=`, contains() and starts-with(). Throws MalformedSearch with what is not served.
 */
export function readSearchQuery(text: string): SearchQuery {
  if (text.length > longest) throw new MalformedSearch(`a query of more than ${longest} characters`)
  return new QueryReader(tokensOf(text)).read()
}

const token =
  /\s*(?:(?<literal>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?<name>[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)|(?<mark><\/|[$/@{}()<>=;,]))/y

interface Token {
  readonly kind: 'literal' | 'name' | 'mark'
  readonly text: string
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  const end = text.trimEnd().length
  for (token.lastIndex = 0; token.lastIndex < end; ) {
    const from = token.lastIndex
    const groups = token.exec(text)?.groups
    if (groups === undefined)
      throw new MalformedSearch(`${JSON.stringify(text.slice(from, from + 20).trim())} is not served`)
    if (groups.literal !== undefined) tokens.push({ kind: 'literal', text: literalValue(groups.literal) })
    else if (groups.name !== undefined) tokens.push({ kind: 'name', text: groups.name })
    else tokens.push({ kind: 'mark', text: groups.mark as string })
  }
  return tokens
}

/** A string literal of XQuery: its quote twice, and references of XML, stand for characters. */
function literalValue(literal: string): string {
  const quote = literal[0] as string
  try {
    return resolveReferences(literal.slice(1, -1).replaceAll(quote + quote, quote))
  } catch (err) {
    if (err instanceof MalformedXml) throw new MalformedSearch(err.message, { cause: err })
    throw err
  }
}

/** Recursive descent; a method for each part of the form. */
class QueryReader {
  readonly #tokens: readonly Token[]
  readonly #prefixes = new Set<string>()
  #namespace: string | undefined
  #variable = ''
  #at = 0
  #tests = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  read(): SearchQuery {
    this.#prolog()
    this.#word('for')
    this.#variable = this.#variableName()
    this.#word('in')
    const { collection, entries } = this.#source()
    const condition = this.#isWord('where') ? this.#where() : undefined
    this.#word('return')
    const result = this.#isMark('$') ? this.#wholeEntry() : this.#construction()
    if (this.#at < this.#tokens.length) this.#refuse('the end')
    return { namespace: this.#namespace, collection, entries, condition, result }
  }

  #prolog(): void {
    if (this.#takeWord('xquery')) {
      this.#word('version')
      if (this.#literal() !== '1.0') throw new MalformedSearch('only version 1.0 is served')
      this.#mark(';')
    }
    while (this.#takeWord('declare')) {
      if (this.#takeWord('namespace')) {
        this.#prefixes.add(this.#name())
        this.#mark('=')
        this.#literal()
      } else {
        for (const word of ['default', 'element', 'namespace']) this.#word(word)
        this.#namespace = this.#literal()
      }
      this.#mark(';')
    }
  }

  #source(): Pick<SearchQuery, 'collection' | 'entries'> {
    const call = this.#name()
    if (call !== 'collection' && call !== 'fn:collection') this.#refuse('collection(…)')
    this.#mark('(')
    const collection = this.#literal()
    this.#mark(')')
    const [, auid] = /^\/?([^/]+)(?:\/users\/?)?$/.exec(collection) ?? []
    if (auid === undefined) throw new MalformedSearch(`there is no collection ${collection}`)
    this.#mark('/')
    const root = this.#localName()
    this.#mark('/')
    return { collection: auid, entries: [root, this.#localName()] }
  }

  #where(): SearchCondition {
    this.#at++
    return this.#anyOf(0)
  }

  #anyOf(depth: number): SearchCondition {
    const of = [this.#allOf(depth)]
    while (this.#takeWord('or')) of.push(this.#allOf(depth))
    return of.length === 1 ? (of[0] as SearchCondition) : { kind: 'or', of }
  }

  #allOf(depth: number): SearchCondition {
    const of = [this.#test(depth)]
    while (this.#takeWord('and')) of.push(this.#test(depth))
    return of.length === 1 ? (of[0] as SearchCondition) : { kind: 'and', of }
  }

  #test(depth: number): SearchCondition {
    if (depth >= mostDepth) throw new MalformedSearch('a condition that is too deep')
    if (this.#takeMark('(')) {
      const inside = this.#anyOf(depth + 1)
      this.#mark(')')
      return inside
    }
    if (++this.#tests > mostTests) throw new MalformedSearch(`more than ${mostTests} tests`)
    return this.#isMark('$') ? this.#comparison() : this.#call()
  }

  #comparison(): SearchCondition {
    const path = this.#path()
    this.#mark('=')
    return { kind: 'equals', path, value: this.#literal() }
  }

  #call(): SearchCondition {
    const kind = this.#name().replace(/^fn:/, '')
    if (kind !== 'contains' && kind !== 'starts-with') this.#refuse('a comparison, contains() or starts-with()')
    this.#mark('(')
    const path = this.#path()
    this.#mark(',')
    const value = this.#literal()
    this.#mark(')')
    return { kind: kind as 'contains', path, value }
  }

  #path(): string {
    if (this.#variableName() !== this.#variable) this.#refuse(`$${this.#variable}`)
    const steps: string[] = []
    while (this.#takeMark('/')) {
      const attribute = this.#takeMark('@')
      steps.push(attribute ? `@${this.#localName()}` : this.#localName())
      if (attribute) break
    }
    if (steps.length === 0) this.#refuse('a path')
    return steps.join('/')
  }

  #wholeEntry(): undefined {
    if (this.#variableName() !== this.#variable) this.#refuse(`$${this.#variable}`)
  }

  #construction(): SearchQuery['result'] {
    this.#mark('<')
    const element = this.#localName()
    this.#mark('>')
    const paths: string[] = []
    while (this.#takeMark('{')) {
      do paths.push(this.#path())
      while (this.#takeMark(','))
      this.#mark('}')
    }
    if (paths.length > mostPaths) throw new MalformedSearch(`more than ${mostPaths} paths`)
    this.#mark('</')
    if (this.#localName() !== element) this.#refuse(`</${element}>`)
    this.#mark('>')
    return { element, paths }
  }

  #variableName(): string {
    this.#mark('$')
    return this.#name()
  }

  /** A name whose prefix, if it has one, was declared. */
  #localName(): string {
    const [prefix, local] = this.#name().split(':') as [string, string?]
    if (local !== undefined && !this.#prefixes.has(prefix))
      throw new MalformedSearch(`the prefix ${prefix} is not declared`)
    return local ?? prefix
  }

  #name = (): string => this.#take('name', undefined, 'a name')
  #literal = (): string => this.#take('literal', undefined, 'a string')
  #word = (word: string): string => this.#take('name', word, word)
  #mark = (mark: string): string => this.#take('mark', mark, mark)
  #isWord = (word: string): boolean => this.#is('name', word)
  #isMark = (mark: string): boolean => this.#is('mark', mark)

  #takeWord(word: string): boolean {
    const there = this.#isWord(word)
    if (there) this.#at++
    return there
  }

  #takeMark(mark: string): boolean {
    const there = this.#isMark(mark)
    if (there) this.#at++
    return there
  }

  #is(kind: Token['kind'], text: string): boolean {
    const next = this.#tokens[this.#at]
    return next?.kind === kind && next.text === text
  }

  #take(kind: Token['kind'], text: string | undefined, expected: string): string {
    const next = this.#tokens[this.#at]
    if (next?.kind !== kind || (text !== undefined && next.text !== text)) this.#refuse(expected)
    this.#at++
    return (next as Token).text
  }

  #refuse(expected: string): never {
    const found = this.#tokens[this.#at]?.text ?? 'the end'
    throw new MalformedSearch(`${expected} is expected where ${JSON.stringify(found.slice(0, 40))} stands`)
  }
}
