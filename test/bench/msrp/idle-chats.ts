import { setTimeout as sleep } from 'node:timers/promises'
import { chatSdp, sdpAttribute } from '../../support/chat-sdp.ts'
import { MsrpStream, newPath } from '../../support/msrp-stream.ts'
import type { Phone } from '../../support/phone.ts'
import { PlacedCall, ReceivedCall } from '../../support/phone-call.ts'
import { startWholeServer } from './whole-server.ts'

/** Transactions are remembered for 32 s (RFC 3261 §17). */
const settleMs = 40_000

/** What a chat costs in which nothing is said: two dialogs, two message sessions, two connections. */
export async function measureIdleChats(count: number): Promise<object> {
  const server = await startWholeServer(['alice', 'bob'])
  try {
    const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
    for (let warm = 0; warm < 100; warm++) await openChat(alice, bob)
    await sleep(settleMs)
    const before = await server.memory()
    for (let chats = 0; chats < count; chats++) await openChat(alice, bob)
    await sleep(settleMs)
    const after = await server.memory()
    const taken = ({ heapUsed, external }: NodeJS.MemoryUsage) => heapUsed + external
    return { chats: count, bytesEach: Math.round((taken(after) - taken(before)) / count) }
  } finally {
    await server.close()
  }
}

async function openChat(caller: Phone, callee: Phone): Promise<void> {
  const [near, far] = [newPath(), newPath()]
  const placed = new PlacedCall(caller, callee.aor, { sdp: chatSdp({ path: near }) })
  const received = await ReceivedCall.next(callee)
  const answering = received.answer(chatSdp({ path: far }))
  const { response } = await placed.answered()
  await answering
  await Promise.all([join(response.text, near), join(received.invite.text, far)])
}

/** Connects, and says for which session; resolves when that was heard. */
async function join(sdp: string, path: string): Promise<void> {
  const to = sdpAttribute(sdp, 'path') ?? ''
  const stream = await MsrpStream.open(Number(/:(\d+)\//.exec(to)?.[1]), path)
  const heard = new Promise<void>((resolve) => {
    stream.user = { ...stream.user, onFrame: () => resolve() }
  })
  await stream.write(`MSRP idle1 SEND\r\nTo-Path: ${to}\r\nFrom-Path: ${path}\r\nMessage-ID: 1\r\n-------idle1$\r\n`)
  await heard
}
