import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeKeyTable } from '../../src/config/show-config.ts'

test('the table of keys in the README is the one that the schema makes (npm run readme)', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const [, table] = /<!-- configuration:begin -->\n(.*)<!-- configuration:end -->/s.exec(readme) ?? []
  expect(table).toBe(writeKeyTable())
})
