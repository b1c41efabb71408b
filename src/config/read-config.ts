import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ConfigurationFault } from '../failure.ts'
import { type Config, configFrom, keys } from './config.ts'
import { nearest } from './nearest.ts'

/** Where values come from; of one key the later source wins. */
export interface Sources {
  readonly file?: string | undefined
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Of the arguments: `--set key.path=value`. */
  readonly set?: readonly (readonly [name: string, value: string])[]
}

/** A value as it was written, and where. */
interface Setting {
  readonly text: string
  readonly source: string
}

export interface ReadConfig {
  readonly config: Config
  /** What was written, by key: what is not in here has its default. */
  readonly written: ReadonlyMap<string, string>
}

/** Used by the command line itself; keys of the configuration they are not. */
const reserved: ReadonlySet<string> = new Set(['PARLEY_PASSWORD', 'PARLEY_CONFIG'])

/** File, environment and arguments to one checked configuration. Throws ConfigurationFault. */
export function readConfig(sources: Sources): ReadConfig {
  const settings = new Map<string, Setting>()
  if (sources.file !== undefined) takeFile(settings, sources.file)
  takeEnvironment(settings, sources.environment ?? {})
  for (const [name, text] of sources.set ?? []) take(settings, name, { text, source: '--set' })
  const written = new Map([...settings].map(([name, { text }]) => [name, text]))
  return { config: configFrom(written, (name) => settings.get(name)?.source), written }
}

function takeFile(settings: Map<string, Setting>, file: string): void {
  const tree = readYaml(file)
  if (typeof tree === 'string' && tree !== '') throw unreadable(file, 'it has no keys')
  takeTree(settings, tree, '', file)
}

function readYaml(file: string): unknown {
  try {
    // Scalars stay as they are written; the schema knows what they are.
    return parse(readFileSync(file, 'utf8'), { schema: 'failsafe', logLevel: 'error' })
  } catch (err) {
    const [reason = ''] = String((err as Error).message).split('\n')
    throw unreadable(file, reason.replace(/:$/, ''))
  }
}

const unreadable = (file: string, reason: string) =>
  new ConfigurationFault('--config', `cannot read ${file}: ${reason}`, 'give a YAML file')

function takeTree(settings: Map<string, Setting>, value: unknown, name: string, source: string): void {
  if (value === null || value === undefined) return
  if (typeof value === 'string') {
    if (name !== '') take(settings, name, { text: value, source })
  } else if (!Array.isArray(value)) {
    for (const [part, below] of Object.entries(value))
      takeTree(settings, below, name ? `${name}.${part}` : part, source)
  } else if (value.every((item) => typeof item === 'string')) {
    take(settings, name, { text: value.join(','), source })
  } else
    throw new ConfigurationFault(
      name || '--config',
      `has a list of other things than values (${source})`,
      'give plain values',
    )
}

function takeEnvironment(settings: Map<string, Setting>, environment: NonNullable<Sources['environment']>): void {
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('PARLEY_') || reserved.has(variable)) continue
    const key = keys.find((known) => known.variable === variable)
    if (!key)
      throw unknown(
        variable,
        keys.map((known) => known.variable),
      )
    // An empty variable is what a compose file makes of one that is not set.
    if (text) take(settings, key.name, { text, source: variable })
  }
}

/** An empty value is as good as none: the default counts again. */
function take(settings: Map<string, Setting>, name: string, setting: Setting): void {
  if (!keys.some((known) => known.name === name)) throw unknownKey(name, setting.source)
  if (setting.text.trim() === '') settings.delete(name)
  else settings.set(name, setting)
}

function unknownKey(name: string, source: string): ConfigurationFault {
  const within = keys.find((known) => known.name.startsWith(`${name}.`))
  if (within) {
    return new ConfigurationFault(
      name,
      `is a section, not a key (${source})`,
      `set one of its keys, such as ${within.name}`,
    )
  }
  return unknown(
    name,
    keys.map((known) => known.name),
    source,
  )
}

function unknown(name: string, names: readonly string[], source?: string): ConfigurationFault {
  const problem = `there is no such key${source ? ` (${source})` : ''}`
  return new ConfigurationFault(name || '--config', problem, `did you mean ${nearest(name, names)}?`)
}
