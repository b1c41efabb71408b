import type { Attribute, WithAttributes } from './session-description.ts'

/** The value of the first attribute `name`: undefined when there is none, '' when it has no value. */
export function attribute(of: WithAttributes, name: string): string | undefined {
  for (const one of of.attributes) if (one.name === name) return one.value ?? ''
  return undefined
}

/** The values of all attributes `name`. */
export function attributes(of: WithAttributes, name: string): string[] {
  return of.attributes.filter((one) => one.name === name).map((one) => one.value ?? '')
}

export const hasAttribute = (of: WithAttributes, name: string): boolean =>
  of.attributes.some((one) => one.name === name)

/** A copy in which `name` has this value once, at the place of the first; '' is an attribute without a value. */
export function withAttribute<Of extends WithAttributes>(of: Of, name: string, value = ''): Of {
  const put: Attribute = value === '' ? { name } : { name, value }
  const at = of.attributes.findIndex((one) => one.name === name)
  if (at === -1) return { ...of, attributes: [...of.attributes, put] }
  const rest = of.attributes.filter((one, index) => index === at || one.name !== name)
  return { ...of, attributes: rest.with(at, put) }
}

/** A copy without the attributes of these names. */
export function withoutAttributes<Of extends WithAttributes>(of: Of, ...names: readonly string[]): Of {
  return { ...of, attributes: of.attributes.filter((one) => !names.includes(one.name)) }
}
