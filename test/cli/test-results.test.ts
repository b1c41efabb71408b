import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { interopTools } from '../../scripts/interop-tools.ts'
import { countTests, suitesNotRun } from '../../scripts/test-results.ts'

const report = (
  failed: number,
  results: readonly { status: string; assertionResults: { status: string }[] }[] = [],
) => ({
  numPassedTests: 5,
  numFailedTests: failed,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: results,
})

test('the tests are counted as vitest counts them', () => {
  expect(countTests(true, report(0))).toEqual({ passed: 5, failed: 0, skipped: 3 })
  const results = [{ status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] }]
  expect(countTests(false, report(1, results)).failed).toBe(1)
})

test('a file that cannot be loaded, an error outside the tests, and no report at all are failures', () => {
  expect(countTests(false, report(0, [{ status: 'failed', assertionResults: [] }])).failed).toBe(1)
  expect(countTests(false, report(0)).failed).toBe(1)
  expect(countTests(false, undefined)).toEqual({ passed: 0, failed: 1, skipped: 0 })
})

test('a suite that lacks tools is named once, with how to get them', () => {
  const missing = [
    { tool: 'linphonec', debian: 'linphone-cli', suites: ['a.test.ts'] },
    { tool: 'ip', debian: 'iproute2', suites: ['a.test.ts', 'gone.test.ts'] },
  ]
  expect(suitesNotRun(missing, (suite: string) => suite !== 'gone.test.ts')).toEqual([
    { suite: 'a.test.ts', remedy: 'needs linphonec and ip: apt-get install linphone-cli iproute2' },
  ])
})

test('the list names each suite that asks for a tool, with all that it asks for', () => {
  const folder = join(import.meta.dirname, '..')
  const asked = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((name) => {
      const tools = readFileSync(join(folder, name), 'utf8').matchAll(/isInstalled\('([^']+)'\)/g)
      return [...tools].map(([, tool]) => `${tool} test/${name}`)
    })
  expect(new Set(asked)).toEqual(
    new Set(interopTools.flatMap(({ tool, suites }) => suites.map((suite) => `${tool} ${suite}`))),
  )
})
