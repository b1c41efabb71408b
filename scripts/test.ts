// All of the tests: types, lint, layers, then vitest with its unit, scenario, interoperability and crash tests. The last
// lines name each suite that did not run for want of a tool (with CI=true that is a failure), then count the tests.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installInteropTools, missingTools } from './interop-tools.ts'
import { type Counts, countTests, suitesNotRun } from './test-results.ts'

const root = join(import.meta.dirname, '..')

function run(title: string, command: string, ...args: string[]): boolean {
  process.stdout.write(`\n── ${title}\n`)
  const { status } = spawnSync(join(root, 'node_modules/.bin', command), args, { cwd: root, stdio: 'inherit' })
  return status === 0
}

function runTests(args: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'parley-results-'))
  const file = join(folder, 'results.json')
  try {
    const passed = run(
      'tests',
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...args,
    )
    return countTests(passed, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

installInteropTools()
const checks = [
  run('types', 'tsc', '--noEmit'),
  run('lint', 'biome', 'check', '.'),
  run('layers', 'depcruise', '--config', '.dependency-cruiser.cjs', 'src', 'test'),
]
const counts = runTests(process.argv.slice(2))
const notRun = suitesNotRun(missingTools())
for (const { suite, remedy } of notRun) process.stdout.write(`did not run: ${suite} (${remedy})\n`)

const must = process.env.CI === 'true' ? notRun.length : 0
const failed = counts.failed + checks.filter((passed) => !passed).length + must
process.stdout.write(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped\n`)
process.exitCode = failed === 0 ? 0 : 1
