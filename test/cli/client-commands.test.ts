import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { readArguments } from '../../src/operations/cli/arguments.ts'
import type { Client, ReceivedMessage, ReceivedNotification } from '../../src/operations/cli/client-needs.ts'
import { listen } from '../../src/operations/cli/listen-command.ts'
import { sendMessage } from '../../src/operations/cli/message-command.ts'
import { Output } from '../../src/operations/cli/output.ts'

type OnMessage = (message: ReceivedMessage) => void
type OnNotification = (notification: ReceivedNotification) => void

/** In place of a client and the server behind it: answers what it is told to. */
class StandIn implements Client {
  readonly calls: unknown[] = []
  status = 200
  #onMessage: OnMessage = () => {}
  #onNotification: OnNotification = () => {}

  async start() {}
  async register() {
    this.calls.push('register')
    return { status: this.status, reason: 'Said So' }
  }
  async message(to: string, content: string) {
    this.calls.push(['message', to, content])
    return { status: this.status, reason: 'Said So', messageId: 'id1' }
  }
  on(event: 'message' | 'notification', listener: (what: never) => void) {
    if (event === 'message') this.#onMessage = listener as OnMessage
    else this.#onNotification = listener as OnNotification
  }
  async close() {
    this.calls.push('close')
  }
  receive(from: string, content: string) {
    this.#onMessage({ from, text: content, messageId: 'id2' })
  }
  notify(messageId: string, status: string) {
    this.#onNotification({ messageId, status })
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
  const needs = {
    createClient: (account: unknown) => {
      accounts.push(account)
      return client
    },
    output: new Output(stream, args.json),
    note: () => {},
    domain: 'parley.test',
    sipListen: [{ transport: 'udp', address: '127.0.0.1', port: 5060 }],
    password: given.password,
    demoUsers: async () => [alice],
    stopped: stop.signal,
  }
  const run = async (command: typeof listen) => {
    const code = await command(needs, args)
    stream.end()
    return { code, output: await text(stream) }
  }
  return { client, accounts, stop, run }
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
