import { Failure } from '../../failure.ts'
import { checkedUri, fullAddress } from './address.ts'
import { type Arguments, readCount } from './arguments.ts'
import type { Input } from './chat-terminal.ts'
import type { Answer, Chat, Client, ClientNeeds } from './client-needs.ts'
import { Conversation } from './conversation.ts'
import { hintFor, register, withClient } from './open-client.ts'

interface Needs extends ClientNeeds {
  readonly stopped: AbortSignal
  readonly input: Input
  /** Where a person sits at input and output. */
  readonly screen: NodeJS.WritableStream | undefined
}

/** `parley chat USER [TO]`: calls TO, or waits for the first who calls. Exit status 1 when no chat came of it. */
export async function chat(needs: Needs, { operands, options }: Arguments): Promise<number> {
  const [user = '', to] = operands
  const peer = to === undefined ? undefined : checkedUri(fullAddress(to, needs.domain))
  const seconds = readCount(options, 'seconds')
  const stopped = seconds === undefined ? needs.stopped : withinSeconds(needs.stopped, seconds)
  return await withClient(needs, user, options, async (client, aor, server) => {
    const conversation = new Conversation({ ...needs, stopped })
    for (const event of ['message', 'notification'] as const) show(client, event, conversation)
    const answered = peer === undefined ? answerFirst(client, conversation, stopped) : undefined
    await register(needs, client, aor, server)
    if (peer === undefined) needs.note(`${aor} waits for somebody who wants to chat, until Ctrl-C`)
    const calling = peer === undefined ? answered : call({ ...needs, stopped }, client, peer, conversation, server)
    const begun = await calling
    return begun === undefined ? 1 : await conversation.talk(begun)
  })
}

/** Not by AbortSignal.any(), which forgets its timeouts when memory is collected. */
function withinSeconds(stopped: AbortSignal, seconds: number): AbortSignal {
  const within = new AbortController()
  const stop = () => within.abort()
  setTimeout(stop, 1000 * seconds).unref()
  if (stopped.aborted) stop()
  stopped.addEventListener('abort', stop, { once: true })
  return within.signal
}

/** What comes as pager message is shown as well: the other one may have no chats. */
function show(client: Client, event: 'message' | 'notification', conversation: Conversation): void {
  if (event === 'message') client.on(event, (message) => conversation.onMessage(message))
  else client.on(event, (notification) => conversation.onNotification(notification))
}

async function call(
  needs: Needs,
  client: Client,
  peer: string,
  conversation: Conversation,
  server: string,
): Promise<Chat | undefined> {
  const { output, note, stopped } = needs
  const onRinging = (status: number) => note(status === 180 ? `${peer} is called` : undefined)
  const { chat: begun, ...answer } = await client.chat(peer, { events: conversation, cancelled: stopped, onRinging })
  if (begun === undefined) {
    output.result({ event: 'refused', ...answer }, () => outcome(answer, peer))
    note(hintFor(answer.status, server))
  }
  return begun
}

/** Resolves with the chat of the first invitation that comes to one; meanwhile others hear that the line is busy. */
function answerFirst(client: Client, conversation: Conversation, stopped: AbortSignal): Promise<Chat | undefined> {
  return new Promise((resolve, reject) => {
    let busy = false
    client.on('invitation', ({ accept, refuse }) => {
      if (busy) refuse(486)
      else accept(conversation).then(resolve, failed)
      busy = true
    })
    const failed = (err: unknown) => {
      if (!(err instanceof Failure)) reject(err)
      busy = false
    }
    if (stopped.aborted) resolve(undefined)
    stopped.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function outcome({ status, reason }: Answer, peer: string): string {
  const words = meanings[status]
  return `${status} ${reason}${words === undefined ? '' : `, ${words(peer)}`}`
}

const meanings: Readonly<Record<number, (peer: string) => string>> = {
  404: (peer) => `there is no ${peer}`,
  480: (peer) => `${peer} is not there`,
  486: (peer) => `${peer} is busy`,
  487: () => 'given up',
  488: (peer) => `${peer} cannot chat`,
  603: (peer) => `${peer} has declined`,
}
