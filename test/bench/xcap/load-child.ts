/** XCAP clients, each with a connection of its own and one request at a time. Speaks with its parent over IPC. */
import type { Kind, LoadResult, ToLoad } from './load.ts'
import { XcapUser } from './xcap-user.ts'

let users: XcapUser[] = []

process.on('message', async (message: ToLoad) => {
  process.send?.(await act(message))
})
process.on('disconnect', () => process.exit(0))

async function act(message: ToLoad): Promise<object> {
  if (message.do === 'run') return await run(message.kind, message.seconds)
  for (const user of users) user.close()
  users = []
  if (message.do === 'open') {
    const { port, connections, proof } = message
    users = await Promise.all(Array.from({ length: connections }, (_, at) => XcapUser.open(port, at + 1, proof)))
    for (const user of users) await user.ask('put')
  }
  return {}
}

async function run(kind: Kind, seconds: number): Promise<LoadResult> {
  const times: number[] = []
  const failures: string[] = []
  const cpu = process.cpuUsage()
  const began = performance.now()
  const until = began + seconds * 1000
  await Promise.all(users.map((user) => askAgainAndAgain(user, kind, until, times, failures)))
  const took = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const sorted = Float64Array.from(times).sort()
  const at = (share: number) => round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN)
  return {
    ...{ requests: times.length, seconds: took, failed: failures.length, failure: failures[0] ?? '' },
    ...{ p50Ms: at(0.5), p99Ms: at(0.99), busy: round((user + system) / 1e6 / took) },
  }
}

async function askAgainAndAgain(
  user: XcapUser,
  kind: Kind,
  until: number,
  times: number[],
  failures: string[],
): Promise<void> {
  for (let began = performance.now(); began < until; ) {
    const failure = await user.ask(kind)
    const now = performance.now()
    if (failure === undefined) times.push(now - began)
    else failures.push(failure)
    began = now
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
