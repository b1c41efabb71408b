import type { Mailboxes } from '../../../src/enablers/message-store/index.ts'
import { type Measured, measureClients } from './clients.ts'
import { largeOwner } from './fill.ts'
import { commonWord, rareWord } from './said.ts'
import type { StoreBench } from './store-bench.ts'

const latest = 50

export const queries = ['list', 'list of the largest', 'changes', 'rare word', 'common word'] as const
export type Query = (typeof queries)[number]

/** What is asked of the large mailbox. */
export class QueryCases {
  readonly #mailboxes: Mailboxes
  readonly #folders: readonly string[]
  readonly #modseq: number
  readonly largestMessages: number
  #turn = 0

  static async of(mailboxes: Mailboxes, folders: readonly { id: string; objects: number }[]): Promise<QueryCases> {
    const { modseq } = await mailboxes.state(largeOwner)
    const largest = [...folders].sort((one, other) => other.objects - one.objects)
    return new QueryCases(mailboxes, modseq, largest)
  }

  private constructor(mailboxes: Mailboxes, modseq: number, largest: readonly { id: string; objects: number }[]) {
    this.#mailboxes = mailboxes
    this.#modseq = modseq
    this.#folders = largest.filter(({ objects }) => objects >= latest).map(({ id }) => id)
    this.largestMessages = largest[0]?.objects ?? 0
  }

  /** Through the repository, one at a time. */
  async measure(bench: StoreBench, objects: number): Promise<Map<Query, Measured>> {
    const measured = new Map<Query, Measured>()
    for (const query of queries) {
      const result = await measureClients({
        ...{ clients: 1, seconds: bench.options.seconds, pids: [process.pid], postgresPids: bench.postgres.pids },
        act: () => this.#ask(query),
      })
      measured.set(query, result)
      bench.report({ case: query, server: 'parley', door: 'Mailboxes', objects, ...result })
    }
    return measured
  }

  get largest(): string {
    return this.#folders[0] ?? ''
  }

  /** Each time another one. */
  nextFolder(): string {
    return this.#folders[this.#turn++ % this.#folders.length] ?? ''
  }

  async #ask(query: Query): Promise<void> {
    switch (query) {
      case 'list':
        return await this.#list(this.nextFolder())
      case 'list of the largest':
        return await this.#list(this.largest)
      case 'changes':
        return await this.#changes()
      case 'rare word':
        return await this.#find(rareWord)
      case 'common word':
        return await this.#find(commonWord)
    }
  }

  /** With their texts, as a client shows them. */
  async #list(scope: string): Promise<void> {
    const sort = { by: 'date', descending: true } as const
    const asked = { scope, recursive: false, sort, limit: latest }
    const { objects } = await this.#mailboxes.searchToShow(largeOwner, asked)
    const texts = objects.filter(({ text }) => text !== undefined).length
    if (objects.length !== latest || texts !== latest) throw new Error(`${objects.length} listed, ${texts} texts`)
  }

  async #changes(): Promise<void> {
    const { objects } = await this.#mailboxes.changes(largeOwner, this.#modseq - latest, 1000)
    if (objects.length !== latest) throw new Error(`${objects.length} changed`)
  }

  async #find(value: string): Promise<void> {
    const { objects } = await this.#mailboxes.search(largeOwner, { criteria: { type: 'text', value }, limit: latest })
    if (objects.length === 0) throw new Error(`nobody said ${value}`)
  }
}
