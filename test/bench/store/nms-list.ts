import type { SpawnedServer } from '../../support/spawn-server.ts'
import { type Measured, measureClients } from './clients.ts'
import { HttpUser } from './http-user.ts'
import type { QueryCases } from './query-cases.ts'
import type { StoreBench } from './store-bench.ts'

const box = '/nms/v1/parley/acr%3Aauth'
const latest = 50

/** The latest 50 of a conversation, as a client asks for them (NMS: POST objects/operations/search), in JSON. */
export async function measureNmsList(
  bench: StoreBench,
  server: SpawnedServer,
  cases: QueryCases,
  objects: number,
): Promise<Measured> {
  await server.start()
  try {
    const user = await HttpUser.open(portOf(server.http), 'bob1')
    const measured = await measureClients({
      ...{ clients: 1, seconds: bench.options.seconds, pids: [server.pid], postgresPids: bench.postgres.pids },
      act: () => list(user, cases.largest),
    })
    user.close()
    bench.report({ case: 'list through NMS', server: 'parley', door: 'HTTP, JSON', objects, ...measured })
    return measured
  } finally {
    await server.kill('SIGTERM')
  }
}

export const portOf = (address: string): number => Number(/:(\d+)\/?$/.exec(address)?.[1])

async function list(user: HttpUser, folder: string): Promise<void> {
  const { status, body } = await user.post(
    `${box}/objects/operations/search`,
    'application/json',
    question(folder),
    'application/json',
  )
  if (status !== 200) throw new Error(`search: ${status} ${body.toString()}`)
  const listed = countOf(body, '"lastModSeq":') // the IMAP client looks no closer either
  if (listed !== latest) throw new Error(`${listed} objects listed`)
}

function countOf(bytes: Buffer, text: string): number {
  let count = 0
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + text.length)) count += 1
  return count
}

const question = (folder: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      selectionCriteria: {
        maxEntries: latest,
        searchScope: { resourceURL: `${box}/folders/${folder}` },
        nonRecursiveScope: true,
        sortCriteria: { criterion: [{ type: 'Date', order: 'Descending' }] },
      },
    }),
  )
