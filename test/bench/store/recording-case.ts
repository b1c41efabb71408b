import { chatSdp, sdpAttribute } from '../../support/chat-sdp.ts'
import type { Phone } from '../../support/phone.ts'
import { PlacedCall, ReceivedCall } from '../../support/phone-call.ts'
import { round } from '../bench-results.ts'
import { type Measured, measure, type Shape } from '../msrp/load.ts'
import type { End, Pair } from '../msrp/relay-server.ts'
import { startWholeServer } from '../msrp/whole-server.ts'
import { cpuMicroseconds } from '../process-cpu.ts'
import { textOf } from './said.ts'
import type { StoreBench } from './store-bench.ts'

interface Load {
  readonly title: string
  readonly sessions: number
  readonly shape: Omit<Shape, 'seconds'>
}

const cpim = (id: string): string =>
  [
    'From: <sip:anonymous@anonymous.invalid>',
    'To: <sip:anonymous@anonymous.invalid>',
    'NS: imdn <urn:ietf:params:imdn>',
    `imdn.Message-ID: ${id}`,
    'DateTime: 2026-01-01T00:00:00Z',
    '',
    'Content-Type: text/plain; charset=UTF-8',
    '',
    '',
  ].join('\r\n')

const filling = `${Array.from({ length: 2000 }, (_, number) => textOf(number)).join(' ')} `
const chat = { contentType: 'message/cpim', beginning: cpim, filling }
const loads: readonly Load[] = [
  {
    title: '300 bytes, 100 sessions, 2000 a second in all',
    sessions: 100,
    shape: { ...chat, bytes: 300, window: 1, rate: 2000 },
  },
  { title: '300 bytes, 100 sessions at once', sessions: 100, shape: { ...chat, bytes: 300, window: 1 } },
  { title: '300 bytes, one session', sessions: 1, shape: { ...chat, bytes: 300, window: 50 } },
  { title: '64 KiB, 20 sessions at once', sessions: 20, shape: { ...chat, bytes: 65_536, window: 1 } },
]
const storedSql = "select count(*) as count from messages where kind in ('message', 'file')"
const leastOfThroughput = 0.75

/** Messages through the whole server, first as they are, then with the histories of both sides kept. */
export async function recordingCase(bench: StoreBench): Promise<void> {
  for (const load of loads) {
    const plain = await run(bench, load, 'never')
    const recorded = await run(bench, load, 'always').catch((err: Error) => {
      bench.report({ case: `recording: ${load.title}`, server: 'parley, recorded', error: err.message })
      return { messagesPerSecond: 0 }
    })
    const share = round(recorded.messagesPerSecond / plain.messagesPerSecond)
    bench.atLeast(`recorded messages (${load.title}), in parts of those not recorded`, share, leastOfThroughput)
  }
}

async function run(bench: StoreBench, { title, sessions, shape }: Load, stored: 'never' | 'always'): Promise<Measured> {
  const server = await startWholeServer(['alice', 'bob'], { 'storage.default': stored, 'log.level': 'error' })
  try {
    const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
    const pairs: Pair[] = []
    for (let at = 0; at < sessions; at++) pairs.push(await openChat(alice, bob, at))
    const relay = { name: 'parley', pids: [server.pid], pairs, close: async () => {} }
    const before = cpuMicroseconds(server.postgresPids)
    const measured = await measure(relay, { ...shape, seconds: bench.options.seconds })
    const postgresMicroseconds = cpuMicroseconds(server.postgresPids) - before
    const objects = Number((await server.query(storedSql))[0]?.count)
    const { messagesPerSecond: rate, megabytesPerSecond, serverMicrosecondsEach: microsecondsEach } = measured
    const postgresMicrosecondsEach = objects === 0 ? 0 : round((2 * postgresMicroseconds) / objects)
    bench.report({
      ...{ case: `recording: ${title}`, server: stored === 'always' ? 'parley, recorded' : 'parley', sessions },
      ...{ rate, megabytesPerSecond, microsecondsEach, postgresMicrosecondsEach, objects },
    })
    const least = stored === 'always' ? 2 * rate * bench.options.seconds : 0
    if (objects < least) throw new Error(`${objects} objects are stored, where ${least} messages for both sides passed`)
    return measured
  } finally {
    await server.close()
  }
}

/** The parties of a session as the load plays them: both connect to the server. */
async function openChat(caller: Phone, callee: Phone, at: number): Promise<Pair> {
  const pathOf = (side: string) => `msrp://127.0.0.1:9/${side}${at};tcp`
  const placed = new PlacedCall(caller, callee.aor, { sdp: chatSdp({ path: pathOf('a') }) })
  const received = await ReceivedCall.next(callee)
  const answering = received.answer(chatSdp({ path: pathOf('b') }))
  const { response } = await placed.answered()
  await answering
  return { a: endIn(response.text), b: endIn(received.invite.text) }
}

function endIn(sdp: string): End {
  const toPath = sdpAttribute(sdp, 'path') ?? ''
  return { port: Number(/:(\d+)\//.exec(toPath)?.[1]), toPath }
}
