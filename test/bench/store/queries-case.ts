import { round } from '../bench-results.ts'
import { prepareParley } from '../parley-server.ts'
import type { Measured } from './clients.ts'
import { dovecotLists } from './dovecot-cases.ts'
import { fill, largeOwner, owners } from './fill.ts'
import { type Inserts, measureInserts } from './insert-cases.ts'
import { measureNmsList } from './nms-list.ts'
import { openStore } from './open-store.ts'
import { type Query, QueryCases } from './query-cases.ts'
import type { StoreBench } from './store-bench.ts'

/** What a size took. */
interface AtSize {
  readonly objects: number
  readonly messages: number
  readonly queries: ReadonlyMap<Query | 'list through NMS', Measured>
}

const mostGrowth = 1.5
const mostGrowthOfSearch = 5

/** One store that grows, asked the same at each size; at the end it takes messages as fast as it did when it was empty. */
export async function queriesCase(bench: StoreBench): Promise<void> {
  const url = await bench.postgres.create('parley_bench')
  await using server = await prepareParley(url, owners, { 'log.level': 'error' }, profiling(bench))
  const sizes: AtSize[] = []
  let before = 0
  for (const objects of bench.options.sizes) {
    const began = performance.now()
    await fill(bench.postgres, url, before, objects)
    bench.report({ case: 'fill', objects, added: objects - before, seconds: round((performance.now() - began) / 1000) })
    before = objects
    sizes.push(await measureAt(bench, url, objects, server))
  }
  growth(bench, sizes)
  await besideDovecot(bench, sizes)
  await insertsInto(bench, url, before)
}

async function measureAt(
  bench: StoreBench,
  url: string,
  objects: number,
  server: Awaited<ReturnType<typeof prepareParley>>,
): Promise<AtSize> {
  const store = await openStore(url)
  try {
    const cases = await QueryCases.of(store.mailboxes, await foldersIn(bench, url))
    const repository = await cases.measure(bench, objects)
    const list = await measureNmsList(bench, server, cases, objects)
    return { objects, messages: cases.largestMessages, queries: new Map([...repository, ['list through NMS', list]]) }
  } finally {
    await store.close()
  }
}

/** Of the large mailbox. */
async function foldersIn({ postgres }: StoreBench, url: string): Promise<{ id: string; objects: number }[]> {
  const counted = `select folder, count(*) as objects from messages where owner = ${largeOwner} group by folder`
  const rows = await postgres.query(url, counted)
  return rows.map(({ folder, objects }) => ({ id: String(folder), objects: Number(objects) }))
}

/** From the smallest to the largest. */
function growth(bench: StoreBench, sizes: readonly AtSize[]): void {
  const [smallest, largest] = [sizes[0], sizes.at(-1)]
  if (smallest === undefined || largest === undefined || smallest === largest) return
  for (const [query, small] of smallest.queries) {
    const large = largest.queries.get(query)
    if (large === undefined) continue
    const asked = query.endsWith('word') ? mostGrowthOfSearch : mostGrowth
    const goal = `${query}: p50 at ${largest.objects} objects, in parts of that at ${smallest.objects}`
    bench.atMost(goal, round(large.p50Ms / small.p50Ms), asked)
    bench.atMost(goal.replace('p50', 'p99'), round(large.p99Ms / small.p99Ms), asked)
  }
}

/** Folders as large as the largest conversation was at each size. */
async function besideDovecot(bench: StoreBench, sizes: readonly AtSize[]): Promise<void> {
  const found = await dovecotLists(
    bench,
    sizes.map(({ messages }) => messages),
  )
  for (const { messages, queries } of sizes) {
    for (const [name, { p50Ms }] of found) {
      if (!name.endsWith(` ${messages}`)) continue
      for (const query of ['list of the largest', 'list through NMS'] as const) {
        const ours = queries.get(query)?.p50Ms ?? Number.NaN
        bench.atMost(`${query}: p50, in parts of SELECT and FETCH from ${name} messages`, round(ours / p50Ms), 1)
      }
    }
  }
}

async function insertsInto(bench: StoreBench, url: string, objects: number): Promise<Inserts> {
  const store = await openStore(url)
  try {
    return await measureInserts(bench, store, objects)
  } finally {
    await store.close()
  }
}

const profiling = ({ options: { profile } }: StoreBench): string[] =>
  profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
