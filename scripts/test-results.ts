import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { InteropTool } from './interop-tools.ts'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** What is read of vitest's JSON report. */
export interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  /** One for each file. */
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

/** The tests as vitest counts them, and what it does not count: nothing that went wrong may look like nothing. */
export function countTests(passed: boolean, report: Report | undefined): Counts {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 }
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  ).length
  const failed = report.numFailedTests + unloaded
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && !passed ? 1 : failed, // an error outside all tests: vitest fails, no test does
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

const inCheckout = (suite: string) => existsSync(join(import.meta.dirname, '..', suite))

/** The suites that lack a tool, each once, and how to get what they lack. */
export function suitesNotRun(missing: readonly InteropTool[], exists = inCheckout) {
  const suites = [...new Set(missing.flatMap((tool) => tool.suites))].filter(exists)
  return suites.map((suite) => {
    const tools = missing.filter((one) => one.suites.includes(suite))
    const names = tools.map(({ tool }) => tool).join(' and ')
    return { suite, remedy: `needs ${names}: apt-get install ${tools.map(({ debian }) => debian).join(' ')}` }
  })
}
