import { splitList } from './lists.ts'
import { MalformedSip } from './malformed-sip.ts'
import { noParams, type Params, readParams } from './params.ts'
import { unquote } from './quoted-string.ts'

/** One value of Accept-Contact or Reject-Contact (RFC 3841 §9.2). */
export interface Predicate {
  /** Feature tags by lower-case name, and nothing else. */
  readonly features: Params
  /** A contact that does not match is not to be tried at all. */
  readonly require: boolean
  /** A contact matches only if it says that it has the feature. */
  readonly explicit: boolean
}

/** Reads all values of Accept-Contact, or of Reject-Contact. */
export function readAcceptContact(values: readonly string[]): Predicate[] {
  const predicates: Predicate[] = []
  for (const value of values) for (const item of splitList(value)) predicates.push(readPredicate(item))
  return predicates
}

function readPredicate(item: string): Predicate {
  if (item.charCodeAt(0) !== 42) throw new MalformedSip('Accept-Contact begins with *')
  const params = readParams(item, 1)
  return { features: featuresOf(params), require: params.has('require'), explicit: params.has('explicit') }
}

/** Feature tags of the base set, which have no plus sign (RFC 3840 §9, §10). */
const baseTags: ReadonlySet<string> = new Set([
  'audio',
  'automata',
  'class',
  'duplex',
  'data',
  'control',
  'mobility',
  'description',
  'events',
  'priority',
  'methods',
  'schemes',
  'application',
  'video',
  'language',
  'type',
  'isfocus',
  'actor',
  'text',
  'extensions',
])

/** The parameters of a Contact, or of a predicate, that tell what a device can do (RFC 3840 §9), and no others. */
export function featuresOf(contactParams: Params): Params {
  const features = new Map<string, string | undefined>()
  for (const [name, value] of contactParams) {
    if (name.startsWith('+') || baseTags.has(name)) features.set(name, value)
  }
  return features.size === 0 ? noParams : features
}

/**
 * Whether a contact matches a predicate (RFC 3841 §7.2.4). One that declares no features at all is immune to caller
 * preferences; a feature that it does not speak of is no obstacle unless the predicate is explicit.
 */
export function matches(predicate: Predicate, features: Params): boolean {
  if (features.size === 0) return true
  for (const [tag, wanted] of predicate.features) {
    const missing = !features.has(tag)
    if (missing ? predicate.explicit : !overlaps(wanted, features.get(tag))) return false
  }
  return true
}

/** Whether Reject-Contact keeps a request from a contact: it says that it has every feature named (RFC 3841 §7.2.4). */
export function rejects(predicate: Predicate, features: Params): boolean {
  if (predicate.features.size === 0) return false
  for (const [tag, unwanted] of predicate.features) {
    if (!features.has(tag) || !overlaps(unwanted, features.get(tag))) return false
  }
  return true
}

/** The devices that match every predicate, in their order; with no predicate all of them. */
export function preferred<Device>(
  predicates: readonly Predicate[],
  devices: readonly Device[],
  featuresOfDevice: (device: Device) => Params,
): readonly Device[] {
  if (predicates.length === 0) return devices
  return devices.filter((device) => predicates.every((predicate) => matches(predicate, featuresOfDevice(device))))
}

/** Whether two values of a feature tag have something in common (RFC 3841 §8, RFC 2533 §3.2). */
function overlaps(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true
  const own = readValues(b)
  return readValues(a).some((wanted) => own.some((had) => compatible(wanted, had)))
}

/** A value of a feature tag: a token or string, or the range of a number; `not` turns it round. */
interface FeatureValue {
  readonly not: boolean
  readonly text: string
  readonly range: readonly [low: number, high: number] | undefined
}

function compatible(a: FeatureValue, b: FeatureValue): boolean {
  if (a.range !== undefined && b.range !== undefined && !a.not && !b.not) {
    return a.range[0] <= b.range[1] && b.range[0] <= a.range[1]
  }
  if (a.not && b.not) return true
  return (a.text === b.text) !== (a.not || b.not)
}

/** The comma-separated values within the quotes; a tag without a value is TRUE (RFC 3840 §9). */
function readValues(value: string | undefined): FeatureValue[] {
  if (value === undefined) return [readValue('TRUE')]
  return splitList(unquote(value)).map(readValue)
}

function readValue(written: string): FeatureValue {
  const not = written.startsWith('!')
  const text = not ? written.slice(1) : written
  return { not, text: folded(text), range: text.startsWith('#') ? readRange(text.slice(1)) : undefined }
}

/** A token matches in any case, a <string> in its own; ICSIs and IARIs come with and without percent-encoding. */
function folded(text: string): string {
  if (text.startsWith('<')) return text
  const plain = text.includes('%')
    ? text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text
  return plain.toLowerCase()
}

/** `#=1`, `#>=1`, `#<=1`, `#1:5` (RFC 3840 §9). */
function readRange(text: string): readonly [number, number] | undefined {
  const [, relation, number, from, to] = /^(?:(=|>=|<=)([+-]?[0-9.]+)|([+-]?[0-9.]+):([+-]?[0-9.]+))$/.exec(text) ?? []
  if (from !== undefined) return [Number(from), Number(to)]
  if (relation === '=') return [Number(number), Number(number)]
  if (relation === '>=') return [Number(number), Number.POSITIVE_INFINITY]
  if (relation === '<=') return [Number.NEGATIVE_INFINITY, Number(number)]
  return undefined
}
