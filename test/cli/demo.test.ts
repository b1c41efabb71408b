import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ensureDemoUsers, readDemo } from '../../src/operations/demo.ts'

let parent: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'parley-demo-'))
})
afterEach(() => rmSync(parent, { recursive: true }))

/** A directory of users that remembers their passwords. */
class Directory {
  readonly passwords = new Map<string, string>()
  find(aor: string): object | undefined {
    return this.passwords.has(aor) ? { aor } : undefined
  }
  async add(user: { uri: string; password: string }): Promise<void> {
    this.passwords.set(user.uri, user.password)
  }
  async setPassword(uri: string, password: string): Promise<void> {
    this.passwords.set(uri, password)
  }
}

const start = (subscribers: Directory) =>
  ensureDemoUsers({ dataDir: join(parent, 'data'), domain: 'parley.test', subscribers })

test('the first start makes three users, and a file that only its owner reads', async () => {
  const directory = new Directory()
  const demo = await start(directory)
  expect(demo.users.map(({ aor, tel }) => [aor, tel])).toEqual([
    ['sip:alice@parley.test', 'tel:+15550001'],
    ['sip:bob@parley.test', 'tel:+15550002'],
    ['sip:carol@parley.test', 'tel:+15550003'],
  ])
  expect(new Set(demo.users.map(({ password }) => password)).size).toBe(3)
  expect(demo.users.every(({ password }) => /^[a-z2-9]{12}$/.test(password))).toBe(true)
  expect(demo.adminToken).toMatch(/^[\w-]{32}$/)
  expect([...directory.passwords]).toEqual(demo.users.map(({ aor, password }) => [aor, password]))

  const file = join(parent, 'data', 'demo-users.json')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(join(parent, 'data')).mode & 0o777).toBe(0o700)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(demo)
  expect(await readDemo(join(parent, 'data'))).toEqual(demo)
})

test('a second start keeps passwords and token, also those that users have changed', async () => {
  const directory = new Directory()
  const first = await start(directory)
  await directory.setPassword('sip:bob@parley.test', 'of his own')
  expect(await start(directory)).toEqual(first)
  expect(directory.passwords.get('sip:bob@parley.test')).toBe('of his own')
})

test('a new database gets the users of the file, a lost file new passwords', async () => {
  const first = await start(new Directory())
  const directory = new Directory()
  expect(await start(directory)).toEqual(first)
  expect(directory.passwords.size).toBe(3)

  rmSync(join(parent, 'data', 'demo-users.json'))
  const second = await start(directory)
  expect(second.adminToken).not.toBe(first.adminToken)
  expect([...directory.passwords]).toEqual(second.users.map(({ aor, password }) => [aor, password]))
})

test.each(['{', '[]', '{"users":[{}],"adminToken":"x"}', 'null'])(
  'a file of %j is a fault of data.dir',
  async (text) => {
    await start(new Directory())
    writeFileSync(join(parent, 'data', 'demo-users.json'), text)
    await expect(start(new Directory())).rejects.toThrow(/^data\.dir: cannot read .*demo-users\.json.*; remove it/)
  },
)
