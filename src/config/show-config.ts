import { stringify } from 'yaml'
import { type Key, keys } from './config.ts'
import { nest, type Tree } from './nest.ts'
import { splitList } from './values.ts'

/** The whole configuration as YAML that `--config` reads again, but for secrets, which are masked. */
export function showConfig(written: ReadonlyMap<string, string>): string {
  return stringify(settingsTree(written), { lineWidth: 0 })
}

/** The same as an object. */
export function settingsTree(written: ReadonlyMap<string, string>): Tree {
  return nest(keys.map((key) => [key.name, shown(key, written.get(key.name) ?? key.default)]))
}

function shown(key: Key, text: string | undefined): unknown {
  if (text === undefined) return undefined
  if (key.secret) return masked(text)
  if (key.list) return splitList(text)
  if (/^\d{1,15}$/.test(text)) return Number(text)
  return text === 'true' || text === 'false' ? text === 'true' : text
}

/** A URL keeps all but its password. */
function masked(text: string): string {
  if (!URL.canParse(text)) return '***'
  const url = new URL(text)
  if (url.password !== '') url.password = '***'
  if (url.searchParams.has('password')) url.searchParams.set('password', '***')
  return url.href
}

/** The table of the README. */
export function writeKeyTable(): string {
  const rows = keys.map((key) => `| \`${key.name}\` | ${defaultOf(key)} | ${key.meaning} |`)
  return ['| Key | Default | Meaning |', '| --- | --- | --- |', ...rows, ''].join('\n')
}

function defaultOf(key: Key): string {
  if (key.defaultNote !== undefined) return key.defaultNote
  return key.default ? `\`${key.default}\`` : 'none'
}
