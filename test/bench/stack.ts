/**
 * What the stack alone costs: a child process relays MESSAGE requests from one UDP socket to another through SipStack (a
 * server and a client transaction each), this one is both ends. Prints one JSON line.
 *
 *     node --import tsx test/bench/stack.ts [messages] [in flight] [--cpu-prof for the relay]
 */
import { fork } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { SipRequest } from '../../src/protocols/sip/message.ts'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import { type ServerTransaction, SipStack } from '../../src/sip/sip-stack.ts'

const host = '127.0.0.1'
let sent = 0

if (process.argv[2] === 'relay') await relay(Number(process.argv[3]))
else await drive(Number(process.argv[2] ?? 200_000), Number(process.argv[3] ?? 50))

/** Forwards each request to `port` and its final response back. */
async function relay(port: number): Promise<void> {
  const uri = `sip:${host}:${port}`
  const onRequest = (transaction: ServerTransaction) => {
    const { request } = transaction
    const onward = new SipRequest(request.method, request.uri, request.headers.clone(), request.body)
    stack.send(onward, { uri }, (response) => transaction.respond(responseTo(request, response.status)))
  }
  const listen = [{ transport: 'udp', address: host, port: 0 }] as const
  const stack = new SipStack({ listen, trusted: () => true, onRequest })
  const [bound] = await stack.start()
  process.send?.({ port: bound?.port })
  process.on('message', async (order) => {
    if (order === 'usage') process.send?.(usageNow(stack))
    if (order === 'end') {
      await stack.close(AbortSignal.abort())
      process.disconnect()
    }
  })
}

/** The collection of garbage that makes the memory comparable is nobody's message, so it is counted for none. */
function usageNow(stack: SipStack): Usage {
  const until = process.cpuUsage()
  globalThis.gc?.()
  return { until, from: process.cpuUsage(), memory: process.memoryUsage(), held: stack.held }
}

async function drive(total: number, inFlight: number): Promise<void> {
  const [sender, receiver] = [await bind(), await bind()]
  const profile = process.argv.includes('--cpu-prof') ? ['--cpu-prof'] : []
  const execArgv = [...process.execArgv, '--expose-gc', ...profile]
  const child = fork(import.meta.filename, ['relay', String(receiver.address().port)], { execArgv })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  receiver.on('message', (bytes, from) => receiver.send(answerTo(bytes), from.port, from.address))
  await pass(sender, port, 20_000, inFlight)
  const before = await usageOf(child)
  const started = performance.now()
  await pass(sender, port, total, inFlight)
  const seconds = (performance.now() - started) / 1000
  const after = await usageOf(child)
  const user = after.until.user - before.from.user
  const cpu = user + after.until.system - before.from.system
  console.log(
    JSON.stringify({
      bench: 'stack-relay-udp',
      messages: total,
      perSecond: Math.round(total / seconds),
      cpuMicrosecondsEach: Number((cpu / total).toFixed(1)),
      userMicrosecondsEach: Number((user / total).toFixed(1)),
      rssMiB: Math.round(after.memory.rss / 2 ** 20),
      heapMiB: Math.round(after.memory.heapUsed / 2 ** 20),
      held: after.held,
    }),
  )
  child.send('end')
  await once(child, 'exit')
  sender.close()
  receiver.close()
}

interface Usage {
  readonly until: NodeJS.CpuUsage
  readonly from: NodeJS.CpuUsage
  readonly memory: NodeJS.MemoryUsage
  readonly held: SipStack['held']
}

async function usageOf(child: ReturnType<typeof fork>): Promise<Usage> {
  child.send('usage')
  const [usage] = (await once(child, 'message')) as [Usage]
  return usage
}

async function bind(): Promise<Socket> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: 4 * 2 ** 20,
    lookup: (name, _o, done) => done(null, name, 4),
  })
  const listening = once(socket, 'listening')
  socket.bind(0, host)
  await listening
  return socket
}

/** Sends `total` messages, `inFlight` at a time, and waits for all answers. */
function pass(socket: Socket, port: number, total: number, inFlight: number): Promise<void> {
  const end = sent + total
  let answered = 0
  return new Promise((resolve) => {
    const next = () => {
      if (sent < end) socket.send(requestBytes(++sent, socket.address().port), port, host)
    }
    socket.removeAllListeners('message')
    socket.on('message', () => {
      if (++answered === total) resolve()
      else next()
    })
    for (let n = 0; n < inFlight; n++) next()
  })
}

function requestBytes(n: number, port: number): Buffer {
  const body = 'Hello Bob, this is a message of a usual length, neither short nor long.'
  return Buffer.from(
    `MESSAGE sip:bob@parley.test SIP/2.0\r\n` +
      `Via: SIP/2.0/UDP ${host}:${port};branch=z9hG4bK-26711-${n}-0\r\n` +
      `From: "alice" <sip:alice@parley.test>;tag=26711SIPpTag00${n}\r\n` +
      `To: <sip:bob@parley.test>\r\n` +
      `Call-ID: ${n}-26711@${host}\r\n` +
      `CSeq: 1 MESSAGE\r\n` +
      `Max-Forwards: 70\r\n` +
      `P-Asserted-Identity: <sip:alice@parley.test>\r\n` +
      `Content-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  )
}

/** 200 to the bytes of a request, made by cutting and joining so that the receiver costs little. */
function answerTo(bytes: Buffer): Buffer {
  const text: string = bytes.toString('latin1')
  const lines = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n')
  const kept = lines.filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line))
  return Buffer.from(`SIP/2.0 200 OK\r\n${kept.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, 'latin1')
}
