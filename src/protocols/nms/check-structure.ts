import { MalformedNms } from './malformed-nms.ts'
import { choices, enumerations, type Occurs, type StructureName, structures } from './structures.ts'

export interface NmsLimits {
  readonly bytes: number
  /** Of structures in each other. */
  readonly depth: number
  /** Of values: elements in XML, members and items in JSON. */
  readonly values: number
}

export const nmsLimits: NmsLimits = { bytes: 1_048_576, depth: 16, values: 20_000 }

/** A text in a body: UTF-8, and no longer than it may be. */
export function textOf(bytes: Buffer, root: string, limits: NmsLimits): string {
  if (bytes.length > limits.bytes) throw new MalformedNms(root, 'too long')
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new MalformedNms(root, 'not UTF-8', { cause })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export type FieldSpec = readonly [Occurs, string]

export const fieldsOf = (type: string): Readonly<Record<string, FieldSpec>> => structures[type as StructureName]
export const isStructure = (type: string): boolean => Object.hasOwn(structures, type)
export const isRepeated = (occurs: Occurs): boolean => occurs === '*' || occurs === '+'

/** Nothing that has to be there is missing, and of a choice there is one. */
export function checkComplete(type: string, value: Readonly<Record<string, unknown>>, where: string): void {
  for (const [name, [occurs]] of Object.entries(fieldsOf(type))) {
    const given = value[name]
    const missing = given === undefined || (Array.isArray(given) && given.length === 0)
    if (missing && occurs !== '?' && occurs !== '*') throw new MalformedNms(`${where}.${name}`, 'missing')
  }
  const choice = choices[type as StructureName]
  if (choice === undefined) return
  const chosen = choice.of.filter((name) => value[name] !== undefined)
  if (chosen.length > 1) throw new MalformedNms(`${where}.${chosen[1]}`, `not together with ${chosen[0]}`)
  if (chosen.length === 0 && choice.required) throw new MalformedNms(where, `one of ${choice.of.join(', ')} is missing`)
}

const most: Readonly<Record<string, number>> = {
  unsignedLong: Number.MAX_SAFE_INTEGER,
  unsignedInt: 4_294_967_295,
  unsignedShort: 65_535,
}

/** A simple value from its lexical form (XML Schema part 2 §3). */
export function valueOfText(type: string, text: string, where: string): string | number | boolean {
  if (type === 'string') return storable(text, where)
  const token = text.trim()
  if (type === 'anyURI') return storable(token, where)
  if (type === 'boolean') return booleanOf(token, where)
  if (type in most) return integerOf(token, most[type] as number, where)
  return enumerated(type, token, where)
}

function booleanOf(token: string, where: string): boolean {
  if (token === 'true' || token === '1') return true
  if (token === 'false' || token === '0') return false
  throw new MalformedNms(where, 'not a boolean')
}

function integerOf(token: string, limit: number, where: string): number {
  const value = /^\+?\d{1,20}$/.test(token) ? Number(token) : Number.NaN
  if (!(value <= limit)) throw new MalformedNms(where, 'not a number that fits')
  return value
}

function enumerated(type: string, token: string, where: string): string {
  const values: readonly string[] = enumerations[type as keyof typeof enumerations]
  if (!values.includes(token)) throw new MalformedNms(where, `none of ${values.join(', ')}`)
  return token
}

/** Text that a database can keep: it has no NUL and no half of a surrogate pair. */
function storable(text: string, where: string): string {
  if (/[\0\p{Surrogate}]/u.test(text)) throw new MalformedNms(where, 'a character that is none')
  return text
}
