import { round } from '../bench-results.ts'
import { prepareParley } from '../parley-server.ts'
import { contentCase } from './content-case.ts'
import { dovecotInserts } from './dovecot-cases.ts'
import { measureCrowd, measureInserts } from './insert-cases.ts'
import { openStore } from './open-store.ts'
import { queriesCase } from './queries-case.ts'
import { recordingCase } from './recording-case.ts'
import type { StoreBench } from './store-bench.ts'

export const storeCases = {
  insert: insertCase,
  queries: queriesCase,
  recording: recordingCase,
  content: contentCase,
} as const satisfies Record<string, (bench: StoreBench) => Promise<void>>

export type CaseName = keyof typeof storeCases

/** Into empty mailboxes, beside Dovecot. */
async function insertCase(bench: StoreBench): Promise<void> {
  const url = await bench.postgres.create('parley_bench_insert')
  await (await prepareParley(url, 1, {}))[Symbol.asyncDispose]()
  const store = await openStore(url)
  try {
    const { commit, create } = await measureInserts(bench, store, 0)
    await measureCrowd(bench, store)
    for (const [server, { rate }] of await dovecotInserts(bench)) {
      // a commit is an object for each of both sides
      bench.atLeast(
        `objects committed for both sides, in parts of those to ${server}`,
        round((2 * commit.rate) / rate),
        1,
      )
      bench.atLeast(`objects created, in parts of those to ${server}`, round(create.rate / rate), 1)
    }
  } finally {
    await store.close()
  }
}
