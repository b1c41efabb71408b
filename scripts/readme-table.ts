// Writes the table of all configuration keys into README.md, between its marks: `npm run readme`.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeKeyTable } from '../src/config/show-config.ts'

const file = join(import.meta.dirname, '../README.md')
const table = `<!-- configuration:begin -->\n${writeKeyTable()}<!-- configuration:end -->`
const readme = readFileSync(file, 'utf8')
const written = readme.replace(/<!-- configuration:begin -->.*<!-- configuration:end -->/s, () => table)
if (!written.includes(table)) throw new Error('README.md has no marks for the table')
writeFileSync(file, written)
