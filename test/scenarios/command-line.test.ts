import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import type { Demo } from '../../src/operations/demo.ts'
import { testDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'
import { prepareServer, type SpawnedServer, spawnServer } from '../support/spawn-server.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')

const at = (server: SpawnedServer) => {
  const { address, port } = server.address('tcp')
  return ['--server', `sip:${address}:${port};transport=tcp`]
}

vi.setConfig({ testTimeout: 180_000 }) // processes start one after the other

const demoMode = { domain: '' }

describe('demo mode', () => {
  test('two people talk over the command line, and all is there after a second start', async () => {
    await using server = await spawnServer({ settings: demoMode })
    const file = join(server.dataDir, 'demo-users.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const demo: Demo = JSON.parse(await readFile(file, 'utf8'))
    expect(demo.users.map(({ aor }) => aor)).toEqual(['alice', 'bob', 'carol'].map((user) => `sip:${user}@parley.test`))

    const kept = await server.run('message', 'alice', 'bob', 'are you\nthere?', ...at(server))
    expect(kept).toEqual({ code: 0, output: '202 Accepted, kept until bob returns\n', errors: '' })
    expect(await server.kill('SIGTERM')).toBe(0)
    await server.start()

    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(demo)
    const heard = await server.run('listen', 'bob', '--count', '1', ...at(server))
    expect(heard).toMatchObject({ code: 0, output: 'sip:alice@parley.test: are you⏎there?\n' })
    expect(await server.kill('SIGINT')).toBe(0)
  })

  test('a message to somebody who listens is delivered, and its notification comes', async () => {
    await using server = await spawnServer({ settings: demoMode })
    const listening = server.run('listen', 'bob', '--seconds', '60', '--count', '2', '--json', ...at(server))
    for (let status = 0; status !== 200; ) {
      const sent = await server.run('message', '+15550001', '+15550002', 'hello', '--json', '--wait', ...at(server))
      status = JSON.parse(sent.output.split('\n')[0] ?? '').status
      if (status !== 200) continue
      expect(sent.code).toBe(0)
      expect(JSON.parse(sent.output.split('\n')[1] ?? '')).toMatchObject({ notification: 'delivered' })
    }
    await server.run('message', 'alice', 'bob', 'bye', ...at(server))
    const lines = (await listening).output.trim().split('\n')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ from: 'sip:alice@parley.test', text: 'hello' })
  })

  test('a password that is wrong and a user who is not there are said, and the command ends with 1', async () => {
    await using server = await spawnServer({ settings: demoMode })
    const wrong = await server.run('message', 'alice', 'bob', 'x', '--password', 'wrong', ...at(server))
    expect(wrong.code).toBe(1)
    const nobody = await server.run('message', 'alice', 'nobody', 'x', ...at(server))
    expect(nobody).toMatchObject({ code: 1, output: expect.stringMatching(/^404 /) })
  })
})

describe('chat', () => {
  test('two terminals talk in a session, and each sees what became of its messages', async () => {
    await using server = await spawnServer({ settings: demoMode })
    const bob = server.begin('chat', 'bob', ...at(server))
    await bob.said('waits for somebody')
    const alice = server.begin('chat', 'alice', 'bob', ...at(server))
    expect(await alice.line()).toMatch(/^\* sip:bob@parley\.test is here/)
    expect(await bob.line()).toMatch(/^\* sip:alice@parley\.test is here/)
    alice.type('hello bob 😀')
    expect(await bob.line()).toBe('sip:alice@parley.test: hello bob 😀')
    expect([await alice.line(), await alice.line()]).toEqual(['✓ hello bob 😀', '✓✓ hello bob 😀'])
    bob.type('hello alice')
    expect(await alice.line()).toBe('sip:bob@parley.test: hello alice')
    expect([await bob.line(), await bob.line()]).toEqual(['✓ hello alice', '✓✓ hello alice'])
    alice.endInput()
    expect(await alice.ended).toBe(0)
    expect(await bob.line()).toBe('* sip:alice@parley.test has left')
    expect(await bob.ended).toBe(0)
  })

  test('a file that is piped in arrives line by line, and the session ends behind it; a signal ends one as well', async () => {
    await using server = await spawnServer({ settings: { ...demoMode, 'sip.listen': 'udp:127.0.0.1:0' } })
    const { address, port } = server.address('udp')
    const there = ['--json', '--server', `sip:${address}:${port}`]
    for (const last of ['end of input', 'signal'] as const) {
      const bob = server.begin('chat', 'bob', ...there)
      await bob.said('waits for somebody')
      const alice = server.begin('chat', 'alice', 'bob', ...there)
      const lines = Array.from({ length: 50 }, (_, at) => `line ${at}`)
      for (const line of lines) alice.type(line)
      if (last === 'end of input') alice.endInput()
      const heard: string[] = []
      for (let event = JSON.parse(await bob.line()); event.event !== 'ended'; event = JSON.parse(await bob.line())) {
        if (event.event === 'message') heard.push(event.text)
        if (last === 'signal' && heard.length === lines.length) alice.kill('SIGINT')
      }
      expect(heard).toEqual(lines)
      expect([await alice.ended, await bob.ended]).toEqual([0, 0])
    }
  })

  test('a line without end is not gathered: it is said that it is too long, and what comes after it is sent', async () => {
    await using server = await spawnServer({ settings: { ...demoMode, 'sip.listen': 'tcp:127.0.0.1:0' } })
    const bob = server.begin('chat', 'bob', '--json', ...at(server))
    await bob.said('waits for somebody')
    const alice = server.begin('chat', 'alice', 'bob', ...at(server))
    expect(await alice.line()).toMatch(/is here/)
    const before = alice.memory()
    for (let mebibytes = 0; mebibytes < 256; mebibytes++) await alice.typeOn('x'.repeat(2 ** 20))
    expect(alice.memory() - before).toBeLessThan(128 * 2 ** 20)
    alice.type('')
    expect(await alice.line()).toBe('✗ not sent: the line is longer than 1 MiB')
    alice.type('hello')
    expect(await alice.line()).toBe('✓ hello')
    expect(JSON.parse(await bob.line())).toMatchObject({ event: 'established' })
    expect(JSON.parse(await bob.line())).toMatchObject({ event: 'message', text: 'hello' })
    alice.endInput()
    expect([await alice.ended, await bob.ended]).toEqual([1, 0])
  })

  test('who is not there, and who is nobody, is said, and the command ends with 1', async () => {
    await using server = await spawnServer({ settings: { ...demoMode, 'session.absent': 'refuse' } })
    const absent = await server.run('chat', 'alice', 'bob', ...at(server))
    expect(absent).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^480 .*, sip:bob@parley\.test is not there\n$/),
    })
    const nobody = await server.run('chat', 'alice', 'nobody', '--json', ...at(server))
    expect(nobody.code).toBe(1)
    expect(JSON.parse(nobody.output)).toMatchObject({ event: 'refused', status: 404 })
  })

  test('somebody who listens hears what is said in a chat', async () => {
    await using server = await spawnServer({ settings: demoMode })
    const bob = server.begin('listen', 'bob', ...at(server))
    await bob.said('is registered')
    const alice = server.begin('chat', 'alice', 'bob', ...at(server))
    alice.type('hello')
    expect(await bob.line()).toBe('sip:alice@parley.test: hello')
    alice.endInput()
    expect(await alice.ended).toBe(0)
    bob.kill('SIGTERM')
    expect(await bob.ended).toBe(0)
  })
})

describe('users', () => {
  test('are added, listed, given a password, imported and removed, with the server running or not', async () => {
    await using database = await testDatabase()
    await using server = await prepareServer({ databaseUrl: database.url })
    const run = async (...command: string[]) => {
      const { code, output, errors } = await server.run(...command)
      expect({ command, code, errors }).toEqual({ command, code: 0, errors: '' })
      return output
    }
    await run('migrate')
    await run('user', 'add', 'dave', '--password', 'first', '--tel', '+1-555-0004', '--name', 'Dave')
    await server.start()
    const added = await run('user', 'add', 'erin@parley.test', '--password', 'e')
    expect(added).toBe('added sip:erin@parley.test\n')
    const file = join(server.dataDir, 'users.csv')
    await writeFile(file, 'uri,password,tel,name\nfrank,f,,Frank\nsip:grace@parley.test,g,+15550007,\n')
    expect(await run('user', 'import', file)).toBe('imported 2 users\n')

    const listed = (await run('user', 'list', '--json')).trim().split('\n')
    expect(listed.map((line) => JSON.parse(line))).toMatchObject([
      { uri: 'sip:dave@parley.test', name: 'Dave', identities: expect.arrayContaining(['tel:+15550004']) },
      { uri: 'sip:erin@parley.test' },
      { uri: 'sip:frank@parley.test', name: 'Frank' },
      { uri: 'sip:grace@parley.test', identities: expect.arrayContaining(['tel:+15550007']) },
    ])

    const send = (password: string) => server.run('message', 'dave', 'erin', 'x', '--password', password, ...at(server))
    expect((await send('first')).code).toBe(0)
    await run('user', 'password', 'dave', '--password', 'second')
    expect((await send('second')).code).toBe(0)
    expect((await send('first')).code).toBe(1)
    await run('user', 'remove', 'dave')
    expect((await send('second')).code).toBe(1)
  })

  test('one that is there already, or is not there, is said in one line', async () => {
    await using database = await testDatabase()
    await using server = await prepareServer({ databaseUrl: database.url })
    expect((await server.run('user', 'add', 'dave', '--password', 'x')).code).toBe(0)
    for (const command of [
      ['user', 'add', 'dave', '--password', 'x'],
      ['user', 'remove', 'erin'],
      ['user', 'password', 'erin', '--password', 'x'],
      ['user', 'add', 'sip:dave@other.test', '--password', 'x'],
    ]) {
      const { code, output, errors } = await server.run(...command)
      expect({ code, output, lines: errors.split('\n').length }, errors).toEqual({ code: 1, output: '', lines: 2 })
    }
  })
})

describe('what the operator has to mend is one line that names the key, and exit status 1', () => {
  const start = async (settings: Record<string, string>, databaseUrl?: string) => {
    await using server = await prepareServer({ settings, ...(databaseUrl && { databaseUrl }) })
    return await server.run('start')
  }
  const oneLine = (key: string) => ({
    code: 1,
    output: '',
    errors: expect.stringMatching(RegExp(`^parley: ${key}: [^\\n]*; [^\\n]*\\n$`)),
  })

  test('a port that is taken', async () => {
    await using database = await testDatabase()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    try {
      expect(await start({ 'sip.listen': `tcp:127.0.0.1:${port}` }, database.url)).toEqual(oneLine('sip\\.listen'))
      expect(await start({ 'msrp.listen': `tcp:127.0.0.1:${port}` }, database.url)).toEqual(oneLine('msrp\\.listen'))
      expect(await start({ 'http.listen': `127.0.0.1:${port}` }, database.url)).toEqual(oneLine('http\\.listen'))
    } finally {
      other.close()
    }
  })

  test('a database that cannot be reached', async () => {
    expect(await start({}, 'postgres://parley@127.0.0.1:1/parley')).toEqual(oneLine('database\\.url'))
  })

  test('a certificate that is not there', async () => {
    await using database = await testDatabase()
    const settings = { 'sip.listen': 'tls:127.0.0.1:0', 'sip.tls.cert': '/none.pem', 'sip.tls.key': '/none.pem' }
    expect(await start(settings, database.url)).toEqual(oneLine('sip\\.tls\\.cert'))
  })

  test('a data directory that another server holds', async () => {
    await using server = await spawnServer({ settings: demoMode })
    expect(await start({ ...demoMode, 'data.dir': server.dataDir })).toEqual(oneLine('data\\.dir'))
  })
})

test('a reader of standard output that goes away stops no server', async () => {
  await using database = await testDatabase()
  const port = await freePort()
  const listen = ['sip.listen=udp:127.0.0.1:0', 'msrp.listen=tcp:127.0.0.1:0']
  const settings = ['domain=parley.test', `database.url=${database.url}`, ...listen]
  const server = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      main,
      'start',
      ...[...settings, `http.listen=127.0.0.1:${port}`].flatMap((one) => ['--set', one]),
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const ended = once(server, 'exit')
  server.stdout.destroy()
  while (
    !(await fetch(`http://127.0.0.1:${port}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (server.exitCode !== null) break
    await setTimeout(100)
  }
  server.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})
