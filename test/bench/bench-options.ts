import { parseArgs } from 'node:util'

type Defaults = Readonly<Record<string, string | undefined>>
type Values<Given extends Defaults> = {
  readonly [Name in keyof Given]: Given[Name] extends string ? string : string | undefined
}

/**
 * The options of a benchmark, and what each is when it is not given. `--help` writes the usage and ends here. Whatever
 * ends the benchmark later, what it has started ends with it.
 */
export function readOptions<Given extends Defaults>(usage: string, defaults: Given): Values<Given> {
  const named = Object.entries(defaults).map(([name, value]) => [
    name,
    { type: 'string' as const, ...(value !== undefined && { default: value }) },
  ])
  const { values } = parseArgs({ options: { ...Object.fromEntries(named), help: { type: 'boolean' } } })
  const given: Readonly<Record<string, unknown>> = values
  if (given.help === true) {
    process.stdout.write(`${usage}\n`)
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
  return values as Values<Given>
}
