import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { readableLog } from './log-lines.ts'

test('a line is JSON with its level in words, its time, and who speaks of what', () => {
  const { log, lines } = readableLog()
  log.child({ part: 'message' }).info({ callId: 'a@b', aor: 'sip:bob@parley.test' }, 'kept')
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      part: 'message',
      callId: 'a@b',
      aor: 'sip:bob@parley.test',
      msg: 'kept',
    },
  ])
})

test('a level that is off writes nothing', () => {
  const { log, lines } = readableLog()
  log.debug('not wanted')
  expect(lines).toEqual([])
})

test('a secret that is handed to the log by mistake is not written', () => {
  const { log, lines } = readableLog()
  log.info({ password: 'hunter2', user: { password: 'hunter2', ha1: 'hunter2' }, token: 'hunter2' }, 'oops')
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})

test('an error is written with its stack and its cause', () => {
  const { log, lines } = readableLog()
  log.error({ err: new Failure('unreachable', 'bob', { cause: new Error('connect ECONNREFUSED') }) }, 'failed')
  expect(lines[0]).toMatchObject({ level: 'error', err: { message: expect.stringContaining('ECONNREFUSED') } })
})

test('what was logged before the process ends is on standard error, and nothing on standard output', async () => {
  const script =
    "import { openLog } from './src/operations/logging.ts'; openLog({ level: 'info' }).info('last'); process.exit(0)"
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args)
  expect([stdout, JSON.parse(stderr).msg]).toEqual(['', 'last'])
})
