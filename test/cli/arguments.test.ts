import { describe, expect, test } from 'vitest'
import { ConfigurationFault, Failure } from '../../src/failure.ts'
import { fullAddress, serverUri } from '../../src/operations/cli/address.ts'
import { readArguments } from '../../src/operations/cli/arguments.ts'
import { reportOf } from '../../src/operations/cli/report.ts'

test('a command has its operands, its options, and what all understand', () => {
  const line = ['--set', 'a.b=c=d', 'user', 'add', 'dave', '--password', 'p', '--tel', '+1', '--config', 'f', '--json']
  expect(readArguments([...line, '--set', 'e='])).toEqual({
    command: 'user add',
    operands: ['dave'],
    options: { password: 'p', tel: '+1' },
    config: 'f',
    set: [
      ['a.b', 'c=d'],
      ['e', ''],
    ],
    json: true,
  })
})

test('a text that begins with a dash comes after --', () => {
  expect(readArguments(['message', 'a', 'b', '--', '-5'])).toMatchObject({ operands: ['a', 'b', '-5'] })
})

test('the last operand of chat may be left out', () => {
  expect(readArguments(['chat', 'a'])).toMatchObject({ operands: ['a'] })
  expect(readArguments(['chat', 'a', 'b'])).toMatchObject({ operands: ['a', 'b'] })
})

test.each([[['help']], [['--help']], [['user', 'add', '-h']]])('%j asks for help', (line) => {
  expect(readArguments(line)).toBe('help')
})

describe('a usage fault', () => {
  const report = (line: string) => {
    try {
      return readArguments(line.split(' ').filter((word) => word !== ''))
    } catch (err) {
      return reportOf(err)
    }
  }
  const general = 'usage: parley COMMAND [OPTIONS]; parley help lists the commands'

  test.each([
    ['', `no command given\n${general}`],
    ['serve', `there is no command "serve"\n${general}`],
    ['user', `user needs one of add, list, remove, password, import\n${general}`],
    ['config shows', `config needs one of check, show, keys\n${general}`],
    ['start now', '"now" is too much\nusage: parley start'],
    ['start --wait', 'start has no option --wait\nusage: parley start'],
    ['user add', 'URI is missing\nusage: parley user add URI [--password P] [--tel TEL] [--name NAME]'],
    [
      'message a b hello you',
      '"you" is too much (TEXT with spaces needs quotes)\nusage: parley message FROM TO TEXT [--password P] [--server URI] [--wait]',
    ],
    ['chat', 'USER is missing\nusage: parley chat USER [TO] [--password P] [--server URI] [--seconds N]'],
    ['chat a b c', '"c" is too much\nusage: parley chat USER [TO] [--password P] [--server URI] [--seconds N]'],
    ['start --sett a=b', `Unknown option '--sett'\n${general}`],
    ['start --set', `Option '--set <value>' argument missing\n${general}`],
    ['start --set a', `--set a: give key.path=value\n${general}`],
  ])('%j ends with 2', (line, text) => expect(report(line)).toEqual({ text: `parley: ${text}`, status: 2 }))
})

test('what the operator can mend is one line, a bug has its stack', () => {
  const fault = new ConfigurationFault(
    'sip.listen',
    'udp:127.0.0.1:5060 is taken\nby another program',
    'choose another',
  )
  expect(reportOf(fault)).toEqual({
    text: 'parley: sip.listen: udp:127.0.0.1:5060 is taken by another program; choose another',
    status: 1,
  })
  expect(reportOf(new Failure('not-found', 'sip:x@y'))).toEqual({ text: 'parley: not found: sip:x@y', status: 1 })
  expect(reportOf(new TypeError('x')).text).toContain('arguments.test.ts')
})

test.each([
  ['alice', 'sip:alice@parley.test'],
  ['alice@other.test', 'sip:alice@other.test'],
  ['sip:alice@other.test', 'sip:alice@other.test'],
  ['+1-555-0001', 'tel:+1-555-0001'],
  ['tel:+15550001', 'tel:+15550001'],
])('%s is %s', (short, full) => expect(fullAddress(short, 'parley.test')).toBe(full))

test.each([
  ['udp:127.0.0.1:5060 tcp:127.0.0.1:5060', 'sip:127.0.0.1:5060;transport=tcp'],
  ['udp:0.0.0.0:5070', 'sip:127.0.0.1:5070;transport=udp'],
  ['tls:[::]:5061', 'sip:[::1]:5061;transport=tls'],
  ['udp:127.0.0.1:0', undefined],
])('a server that listens on %s is at %s', (listen, uri) => {
  const sockets = listen.split(' ').map((one) => {
    const [, transport = '', address = '', port] = /^(\w+):\[?(.*?)\]?:(\d+)$/.exec(one) ?? []
    return { transport, address, port: Number(port) }
  })
  expect(serverUri(sockets)).toBe(uri)
})
