import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'parley-commands-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The command as a process of its own, none of whose surroundings reach it. */
function parley(args: readonly string[], environment: Record<string, string> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_'))
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts', ...args], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...environment },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('help and version are printed and end with 0', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(parley(['--version'])).toEqual({ status: 0, stdout: `parley ${version}\n`, stderr: '' })
  expect(parley(['help']).stdout).toMatch(/^usage: parley COMMAND \[OPTIONS\]\n/)
})

test('a wrong command line ends with 2', () => {
  expect(parley(['serve'])).toEqual({
    status: 2,
    stdout: '',
    stderr: 'parley: there is no command "serve"\nusage: parley COMMAND [OPTIONS]; parley help lists the commands\n',
  })
})

test('a wrong value ends with 1 and one line, also for the server', () => {
  expect(parley(['start', '--set', 'message.keepDays=31'])).toEqual({
    status: 1,
    stdout: '',
    stderr: 'parley: message.keepDays: "31" (--set) is not accepted; give a whole number of days, 1 to 30\n',
  })
})

test('config show has the file, the environment and the arguments, in this order', () => {
  const file = join(folder, 'parley.yaml')
  writeFileSync(
    file,
    'domain: file.test\nmessage:\n  keepDays: 1\n  maxRecipients: 1\nadmin:\n  token: 0123456789abcdef\n',
  )
  const environment = { PARLEY_CONFIG: file, PARLEY_MESSAGE_KEEP_DAYS: '2', PARLEY_MESSAGE_MAX_RECIPIENTS: '2' }
  const shown = parley(['config', 'show', '--json', '--set', 'message.maxRecipients=3'], environment)
  expect(shown).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(shown.stdout)).toMatchObject({
    domain: 'file.test',
    message: { keepDays: 2, maxRecipients: 3 },
    admin: { token: '***' },
  })
  expect(parley(['config', 'check'], environment).stdout).toBe('the configuration is valid\n')
})

test('a client without a password says how to give it', () => {
  const { status, stderr } = parley(['message', 'alice', 'bob', 'x', '--set', `data.dir=${folder}`])
  expect({ status, line: stderr.split('\n')[0] }).toEqual({
    status: 2,
    line: 'parley: the password of sip:alice@parley.test is not known: give --password or PARLEY_PASSWORD',
  })
})

test('a client whose server is not there, or whose addresses are none, says so', () => {
  const client = (...args: string[]) => parley(['message', ...args, '--password', 'x'])
  expect(client('alice', 'bob', 'x', '--server', 'sip:127.0.0.1:1;transport=tcp')).toEqual({
    status: 1,
    stdout: '503 Service Unavailable\n',
    stderr: 'is a server running at sip:127.0.0.1:1;transport=tcp? (--server URI names another)\n',
  })
  expect(client('alice', 'bob', 'x', '--server', 'here')).toMatchObject({ status: 2, stdout: '' })
  expect(client('al<ice', 'bob', 'x').stderr).toMatch(/^parley: "sip:al<ice@parley\.test": .*\n/)
})
