import { randomUUID } from 'node:crypto'
import { Failure } from '../../failure.ts'
import { ChatTerminal, type Input } from './chat-terminal.ts'
import type { Chat, ChatEvents, ReceivedMessage, ReceivedNotification } from './client-needs.ts'
import { type Output, printable } from './output.ts'

interface Needs {
  readonly input: Input
  readonly output: Output
  readonly screen: NodeJS.WritableStream | undefined
  readonly stopped: AbortSignal
}

/** Messages on their way at once; who types faster waits. */
const mostUnderWay = 16
/** What is sent last may be heard of for so long, before the session ends. */
const patienceMs = 3000

/** What is typed goes out, what comes is shown, until either side ends it. */
export class Conversation implements ChatEvents {
  readonly #needs: Needs
  readonly #underWay = new Set<Promise<void>>()
  /** Texts by message id, until they are displayed. */
  readonly #texts = new Map<string, string>()
  /** Of these, the ones that nothing was heard of. */
  readonly #unconfirmed = new Set<string>()
  #chat: Chat | undefined
  #terminal: ChatTerminal | undefined
  #failed = false
  #over = false
  #confirmed = () => {}

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Exit status 0 when all that was typed has reached the other end. */
  async talk(chat: Chat): Promise<number> {
    const { input, output, screen, stopped } = this.#needs
    this.#chat = chat
    const onTyping = (something: boolean) => chat.typing(something)
    this.#terminal = new ChatTerminal({ input, output, screen, onTyping, onTooLong: () => this.#tooLong() })
    const stop = () => this.#terminal?.close()
    stopped.addEventListener('abort', stop)
    try {
      this.#show({ event: 'established', peer: chat.peer }, `* ${chat.peer} is here; a line is a message, Ctrl-D ends`)
      if (stopped.aborted || this.#over) stop()
      for await (const line of this.#terminal.typed()) {
        if (this.#over) break
        await this.#send(chat, line)
      }
      await this.#settle()
      if (!this.#over) await this.#end(chat)
      return this.#failed ? 1 : 0
    } finally {
      stopped.removeEventListener('abort', stop)
      stop()
    }
  }

  onMessage(message: ReceivedMessage): void {
    const { from, text, messageId, date } = message
    this.#show({ event: 'message', from, text, messageId, date }, `${from}: ${text}`)
    this.#chat?.displayed(message)
  }

  onNotification({ messageId, status }: ReceivedNotification): void {
    const text = this.#texts.get(messageId)
    if (text === undefined) return
    if (status !== 'delivered') this.#texts.delete(messageId)
    this.#unconfirmed.delete(messageId)
    this.#show({ event: 'notification', messageId, status }, `${signs[status] ?? `(${status})`} ${text}`)
    this.#confirmed()
  }

  onComposing(composing: boolean): void {
    const peer = this.#chat?.peer ?? ''
    if (this.#needs.output.json) this.#show({ event: 'composing', from: peer, composing }, '')
    else if (this.#needs.screen !== undefined) this.#terminal?.composing(composing ? printable(peer) : undefined)
  }

  onEnded(by: 'peer' | 'lost'): void {
    this.#over = true
    const peer = this.#chat?.peer
    this.#show({ event: 'ended', by }, by === 'peer' ? `* ${peer} has left` : `* ${peer} is gone`)
    this.#terminal?.close()
    this.#confirmed()
  }

  async #send(chat: Chat, text: string): Promise<void> {
    const messageId = randomUUID()
    this.#texts.set(messageId, text)
    this.#unconfirmed.add(messageId)
    const sending = chat.send(text, messageId).then(
      () => {
        if (this.#needs.output.json) this.#show({ event: 'sent', messageId, text }, '')
      },
      (err) => this.#notSent(messageId, text, err),
    )
    this.#underWay.add(sending)
    void sending.finally(() => this.#underWay.delete(sending))
    if (this.#underWay.size >= mostUnderWay) await Promise.race(this.#underWay)
  }

  #tooLong(): void {
    this.#failed = true
    const reason = 'the line is longer than 1 MiB'
    this.#show({ event: 'failed', reason }, `✗ not sent: ${reason}`)
  }

  #notSent(messageId: string, text: string, err: unknown): void {
    if (!(err instanceof Failure)) throw err
    this.#failed = true
    this.#texts.delete(messageId)
    this.#unconfirmed.delete(messageId)
    this.#show({ event: 'failed', messageId, text, reason: err.message }, `✗ ${text} (${err.message})`)
  }

  /** Waits for the answers to what was sent; a pipe that ends at once would hear of nothing otherwise. */
  async #settle(): Promise<void> {
    await Promise.all(this.#underWay)
    if (this.#over || this.#needs.stopped.aborted || this.#unconfirmed.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs)
      this.#confirmed = () => {
        if (!this.#over && this.#unconfirmed.size > 0) return
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #end(chat: Chat): Promise<void> {
    this.#over = true
    this.#terminal?.close()
    await chat.end()
    this.#show({ event: 'ended', by: 'you' }, `* you have left`)
  }

  #show(value: object, text: string): void {
    const line = () => printable(text)
    if (this.#terminal === undefined) this.#needs.output.result(value, line)
    else this.#terminal.show(value, line)
  }
}

/** As messengers show it. */
const signs: Readonly<Record<string, string>> = { delivered: '✓', displayed: '✓✓' }
