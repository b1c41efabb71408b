import { type NmsLimits, nmsLimits } from './check-structure.ts'
import { readJson } from './read-json.ts'
import { readXml } from './read-xml.ts'
import type { RootName, RootValue } from './structures.ts'
import type { NmsFormat } from './write-nms.ts'

/** The body with that root, in either format. Throws MalformedNms. */
export function readNms<Root extends RootName>(
  format: NmsFormat,
  root: Root,
  bytes: Buffer,
  limits: NmsLimits = nmsLimits,
): RootValue<Root> {
  return format === 'json' ? readJson(bytes, root, limits) : readXml(bytes, root, limits)
}
