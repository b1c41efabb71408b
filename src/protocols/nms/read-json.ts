import {
  checkComplete,
  type FieldSpec,
  fieldsOf,
  isRepeated,
  isStructure,
  type NmsLimits,
  nmsLimits,
  textOf,
  valueOfText,
} from './check-structure.ts'
import { MalformedNms } from './malformed-nms.ts'
import { type RootName, type RootValue, roots } from './structures.ts'

/** The body with that root in JSON (REST_NetAPI_Common §5.7, NMS Appendix D). Throws MalformedNms. */
export function readJson<Root extends RootName>(bytes: Buffer, root: Root, limits = nmsLimits): RootValue<Root> {
  return takeJson(parseJson(bytes, limits), root, limits)
}

/** JSON of any structure: UTF-8, not too long and not too deep. */
export function parseJson(bytes: Buffer, limits = nmsLimits): unknown {
  const text = textOf(bytes, 'body', limits)
  checkDepth(text, 2 * limits.depth + 1)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MalformedNms('body', 'not JSON', { cause })
  }
}

/** The same from what a JSON parser made of it. */
export function takeJson<Root extends RootName>(json: unknown, root: Root, limits = nmsLimits): RootValue<Root> {
  const members = membersOf(json, root)
  const [name, ...others] = Object.keys(members)
  if (name !== root || others.length > 0) throw new MalformedNms(root, `the body has to be ${root} alone`)
  return new JsonReader(limits).take(roots[root], members[root], root) as RootValue<Root>
}

class JsonReader {
  readonly #limits: NmsLimits
  #values = 0
  constructor(limits: NmsLimits) {
    this.#limits = limits
  }

  take(type: string, json: unknown, where: string): unknown {
    if (++this.#values > this.#limits.values) throw new MalformedNms(where, 'too many values')
    return isStructure(type) ? this.#takeStructure(type, json, where) : simpleOf(type, json, where)
  }

  #takeStructure(type: string, json: unknown, where: string): Record<string, unknown> {
    const fields = fieldsOf(type)
    const members = json === null && Object.keys(fields).length === 0 ? {} : membersOf(json, where)
    for (const name of Object.keys(members)) {
      if (!Object.hasOwn(fields, name)) throw new MalformedNms(`${where}.${name}`, 'not known')
    }
    const value: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(fields)) {
      if (Object.hasOwn(members, name)) value[name] = this.#takeField(field, members[name], `${where}.${name}`)
    }
    checkComplete(type, value, where)
    return value
  }

  #takeField([occurs, type]: FieldSpec, json: unknown, where: string): unknown {
    if (!isRepeated(occurs)) return this.take(type, json, where)
    if (!Array.isArray(json)) throw new MalformedNms(where, 'not a list')
    return json.map((item, at) => this.take(type, item, `${where}[${at}]`))
  }
}

/** Numbers may come in quotes: an unsignedLong can be more than a JSON number holds. */
function simpleOf(type: string, json: unknown, where: string): string | number | boolean {
  if (typeof json === 'string') return valueOfText(type, json, where)
  const fits = type === 'boolean' ? typeof json === 'boolean' : type.startsWith('unsigned') && Number.isInteger(json)
  if (!fits) throw new MalformedNms(where, `not of type ${type}`)
  return valueOfText(type, String(json), where)
}

function membersOf(json: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new MalformedNms(where, 'not an object')
  return json as Record<string, unknown>
}

/** Before the parser builds what is nested a thousand deep. */
function checkDepth(text: string, most: number): void {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) quoted = !quoted
    else if (quoted) at += code === backslash ? 1 : 0
    else if (code === openBracket || code === openBrace) depth++
    else if (code === closeBracket || code === closeBrace) depth--
    if (depth > most) throw new MalformedNms('body', 'too deep')
  }
}

const [quote, backslash] = [0x22, 0x5c]
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d]
