import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { type Arguments, readArguments } from '../../src/operations/cli/arguments.ts'
import { chat } from '../../src/operations/cli/chat-command.ts'
import type {
  ChatEvents,
  ChatOptions,
  Client,
  Invitation,
  ReceivedMessage,
  ReceivedNotification,
} from '../../src/operations/cli/client-needs.ts'
import { listen } from '../../src/operations/cli/listen-command.ts'
import { sendMessage } from '../../src/operations/cli/message-command.ts'
import { Output } from '../../src/operations/cli/output.ts'

type OnMessage = (message: ReceivedMessage) => void
type OnNotification = (notification: ReceivedNotification) => void
type OnInvitation = (invitation: Invitation) => void

const received = (from: string, text: string): ReceivedMessage => ({
  ...{ from, text, messageId: 'id2', contentType: 'text/plain', date: undefined },
})

/** The other end of a chat: hears what is typed, and says what the test wants. */
class StandInChat {
  readonly peer: string
  readonly heard: unknown[] = []
  readonly events: ChatEvents
  /** What becomes of each message. */
  onSend: (text: string, messageId: string) => void = () => {}

  constructor(peer: string, events: ChatEvents) {
    this.peer = peer
    this.events = events
  }
  async send(content: string, messageId: string) {
    this.heard.push(content)
    this.onSend(content, messageId)
  }
  typing(something: boolean) {
    this.heard.push(something ? 'typing' : 'idle')
  }
  displayed({ text: shown }: ReceivedMessage) {
    this.heard.push(`displayed ${shown}`)
  }
  async end() {
    this.heard.push('end')
  }
}

/** In place of a client and the server behind it: answers what it is told to. */
class StandIn implements Client {
  readonly calls: unknown[] = []
  status = 200
  #onMessage: OnMessage = () => {}
  #onNotification: OnNotification = () => {}
  #onInvitation: OnInvitation = () => {}
  /** What the recipient of a call does. */
  onCall: (talk: StandInChat) => void = () => {}

  async start() {}
  async register() {
    this.calls.push('register')
    return { status: this.status, reason: 'Said So' }
  }
  async message(to: string, content: string) {
    this.calls.push(['message', to, content])
    return { status: this.status, reason: 'Said So', messageId: 'id1' }
  }
  async chat(to: string, { events }: ChatOptions) {
    this.calls.push(['chat', to])
    const answer = { status: this.status, reason: 'Said So' }
    if (this.status !== 200) return answer
    const talk = new StandInChat(to, events)
    this.onCall(talk)
    return { ...answer, chat: talk }
  }
  on(event: 'message' | 'notification' | 'invitation', listener: (what: never) => void) {
    if (event === 'message') this.#onMessage = listener as OnMessage
    else if (event === 'invitation') this.#onInvitation = listener as OnInvitation
    else this.#onNotification = listener as OnNotification
  }
  async close() {
    this.calls.push('close')
  }
  receive(from: string, content: string) {
    this.#onMessage(received(from, content))
  }
  notify(messageId: string, status: string) {
    this.#onNotification({ messageId, status })
  }
  /** Somebody calls; resolves with the chat once it is accepted, or the status. */
  invite(from: string): Promise<StandInChat | number> {
    return new Promise((resolve) => {
      const accept = async (events: ChatEvents) => {
        const talk = new StandInChat(from, events)
        setImmediate(() => resolve(talk))
        return talk
      }
      this.#onInvitation({ from, accept, refuse: resolve })
    })
  }
}

const alice = { aor: 'sip:alice@parley.test', tel: 'tel:+15550001', password: 'of the file' }

function setUp(line: string, given: { password?: string } = {}) {
  const client = new StandIn()
  const stream = new PassThrough()
  const args = readArguments(line.split(' '))
  if (typeof args === 'string') throw new Error(args)
  const accounts: unknown[] = []
  const stop = new AbortController()
  const input = new PassThrough()
  const notes: (string | undefined)[] = []
  const needs = {
    input,
    screen: undefined,
    createClient: (account: unknown) => {
      accounts.push(account)
      return client
    },
    output: new Output(stream, args.json),
    note: (note: string | undefined) => void notes.push(note),
    domain: 'parley.test',
    sipListen: [{ transport: 'udp', address: '127.0.0.1', port: 5060 }],
    password: given.password,
    demoUsers: async () => [alice],
    stopped: stop.signal,
  }
  const run = async (command: (given: typeof needs, args: Arguments) => Promise<number>) => {
    const code = await command(needs, args)
    stream.end()
    return { code, output: await text(stream) }
  }
  return { client, accounts, stop, input, notes, run }
}

describe('message', () => {
  test.each([
    [200, 0, '200 Said So, delivered\n'],
    [202, 0, '202 Said So, kept until bob returns\n'],
    [404, 1, '404 Said So\n'],
  ])('answered %d ends with %d', async (status, code, output) => {
    const { client, run } = setUp('message alice bob hello')
    client.status = status
    expect(await run(sendMessage)).toEqual({ code, output })
    expect(client.calls).toEqual([['message', 'sip:bob@parley.test', 'hello'], 'close'])
  })

  test.each([
    ['message alice bob x', undefined, { aor: alice.aor, password: 'of the file' }],
    ['message +15550001 bob x', undefined, { aor: alice.aor, password: 'of the file' }],
    ['message alice bob x', 'of the variable', { aor: alice.aor, password: 'of the variable' }],
    ['message alice bob x --password p', 'of the variable', { aor: alice.aor, password: 'p' }],
  ])('%s, PARLEY_PASSWORD %s', async (line, password, account) => {
    const { accounts, run } = setUp(line, { ...(password && { password }) })
    await run(sendMessage)
    expect(accounts).toEqual([{ ...account, server: 'sip:127.0.0.1:5060;transport=udp' }])
  })

  test('goes to the server that is named', async () => {
    const { accounts, run } = setUp('message alice bob x --server sip:10.0.0.1;transport=tls')
    await run(sendMessage)
    expect(accounts).toMatchObject([{ server: 'sip:10.0.0.1;transport=tls' }])
  })

  test('with --wait, waits for the notification of this message, also when it came before the answer', async () => {
    for (const early of [true, false]) {
      const { client, run } = setUp('message alice bob x --wait --json')
      const send = client.message.bind(client)
      client.message = async (to, content) => {
        client.notify('other', 'failed')
        if (early) client.notify('id1', 'delivered')
        else setImmediate(() => client.notify('id1', 'delivered'))
        return await send(to, content)
      }
      const { code, output } = await run(sendMessage)
      expect(code).toBe(0)
      expect(
        output
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ).toEqual([
        { status: 200, reason: 'Said So', messageId: 'id1' },
        { messageId: 'id1', notification: 'delivered' },
      ])
    }
  })
})

describe('listen', () => {
  test('prints a line for each message, whatever is in it, and ends after --count', async () => {
    const { client, run } = setUp('listen alice --count 2')
    const register = client.register.bind(client)
    client.register = async () => {
      setImmediate(() => {
        client.receive('sip:bob@parley.test', 'one\ntwo')
        client.receive('sip:bob@parley.test', '\u001b[2J😀')
      })
      return await register()
    }
    const output = 'sip:bob@parley.test: one⏎two\nsip:bob@parley.test: \u{fffd}[2J😀\n'
    expect(await run(listen)).toEqual({ code: 0, output })
    expect(client.calls).toEqual(['register', 'close'])
  })

  test('ends on a signal and after --seconds', async () => {
    const stopped = setUp('listen alice')
    stopped.stop.abort()
    expect(await stopped.run(listen)).toEqual({ code: 0, output: '' })
    expect(await setUp('listen alice --seconds 1').run(listen)).toEqual({ code: 0, output: '' })
  })

  test('says so when it cannot register, and closes the client', async () => {
    const { client, run } = setUp('listen alice')
    client.status = 403
    await expect(run(listen)).rejects.toThrow('sip:alice@parley.test cannot register: 403 Said So')
    expect(client.calls).toEqual(['register', 'close'])
  })
})

test('listen takes chats as well, and shows what is said in them', async () => {
  const { client, run } = setUp('listen alice --count 1')
  client.register = async () => {
    void client.invite('sip:bob@parley.test').then((talk) => {
      if (talk instanceof StandInChat) talk.events.onMessage(received(talk.peer, 'hello'))
    })
    return { status: 200, reason: 'OK' }
  }
  expect(await run(listen)).toEqual({ code: 0, output: 'sip:bob@parley.test: hello\n' })
})

describe('chat', () => {
  test('calls, sends each line, shows what comes and what became of a message, and ends with the input', async () => {
    const { client, input, run } = setUp('chat alice bob')
    let heard: unknown[] = []
    client.onCall = (talk) => {
      heard = talk.heard
      talk.onSend = (content, messageId) => {
        for (const status of ['delivered', 'displayed']) {
          talk.events.onNotification({ messageId, status })
          talk.events.onNotification({ messageId: 'of another', status })
        }
        if (content === 'hello') talk.events.onMessage(received(talk.peer, 'one\ntwo'))
      }
    }
    input.end('hello\n\n \nbye\n')
    const { code, output } = await run(chat)
    expect(output.split('\n').slice(1)).toEqual([
      '✓ hello',
      '✓✓ hello',
      'sip:bob@parley.test: one⏎two',
      '✓ bye',
      '✓✓ bye',
      '* you have left',
      '',
    ])
    expect([code, heard]).toEqual([0, ['hello', 'displayed one\ntwo', 'bye', 'end']])
    expect(client.calls).toEqual(['register', ['chat', 'sip:bob@parley.test'], 'close'])
  })

  test('with --json each event is an object', async () => {
    const { client, input, run } = setUp('chat alice bob --json')
    client.onCall = (talk) => {
      talk.onSend = (_, messageId) => {
        talk.events.onComposing(true)
        talk.events.onNotification({ messageId, status: 'delivered' })
      }
    }
    input.end('hello\n')
    const { output } = await run(chat)
    const events = output.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    expect(events).toMatchObject([
      { event: 'established', peer: 'sip:bob@parley.test' },
      { event: 'composing', from: 'sip:bob@parley.test', composing: true },
      { event: 'notification', status: 'delivered' },
      { event: 'sent', text: 'hello' },
      { event: 'ended', by: 'you' },
    ])
  })

  test.each([
    [404, '404 Said So, there is no sip:bob@parley.test\n'],
    [480, '480 Said So, sip:bob@parley.test is not there\n'],
    [486, '486 Said So, sip:bob@parley.test is busy\n'],
    [603, '603 Said So, sip:bob@parley.test has declined\n'],
    [500, '500 Said So\n'],
  ])('that is refused with %d ends with 1, and says why', async (status, output) => {
    const { client, run } = setUp('chat alice bob')
    const register = client.register.bind(client)
    client.register = async () => ({ ...(await register()), status: 200 })
    client.status = status
    expect(await run(chat)).toEqual({ code: 1, output })
  })

  test('a message that does not get through is shown, and the command ends with 1', async () => {
    const { client, input, run } = setUp('chat alice bob')
    client.onCall = (talk) => {
      talk.onSend = () => {
        throw new Failure('unsupported-content', 'MSRP 415')
      }
    }
    input.end('hello\n')
    const { code, output } = await run(chat)
    expect([code, output]).toEqual([1, expect.stringContaining('✗ hello (unsupported-content: MSRP 415)\n')])
  })

  test('ends when the other one leaves, and on a signal', async () => {
    const left = setUp('chat alice bob')
    left.client.onCall = (talk) => setImmediate(() => talk.events.onEnded('peer'))
    expect(await left.run(chat)).toEqual({ code: 0, output: expect.stringMatching(/\* sip:bob\S+ has left\n$/) })
    const stopped = setUp('chat alice bob')
    stopped.client.onCall = () => setImmediate(() => stopped.stop.abort())
    expect(await stopped.run(chat)).toEqual({ code: 0, output: expect.stringMatching(/\* you have left\n$/) })
  })

  test('without TO the first who calls is answered, and the second finds the line busy', async () => {
    const { client, input, run } = setUp('chat alice')
    const others: unknown[] = []
    client.register = async () => {
      void client.invite('sip:bob@parley.test').then(async (talk) => {
        others.push(await client.invite('sip:carol@parley.test'))
        if (talk instanceof StandInChat) talk.events.onMessage(received(talk.peer, 'hello'))
        input.end()
      })
      return { status: 200, reason: 'OK' }
    }
    const { code, output } = await run(chat)
    expect([code, others]).toEqual([0, [486]])
    expect(output).toContain('sip:bob@parley.test: hello\n')
  })

  test('without TO a signal ends the waiting with 1', async () => {
    const { stop, notes, run } = setUp('chat alice')
    stop.abort()
    expect(await run(chat)).toEqual({ code: 1, output: '' })
    expect(notes.join()).toContain('sip:alice@parley.test waits')
  })
})
