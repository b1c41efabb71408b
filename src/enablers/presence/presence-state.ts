import { MalformedPidf } from '../../protocols/pidf/malformed-pidf.ts'
import { type PresencePart, readPidf } from '../../protocols/pidf/pidf.ts'
import type { Params } from '../../protocols/sip/params.ts'
import { registeredServices } from './registered-services.ts'

interface Source {
  readonly content: Buffer
}

interface Device {
  readonly device: string
  readonly features: Params
}

type Found<T> = T | Promise<T>

interface Needs {
  /** The newest first. */
  readonly publicationsOf: (owner: number) => Found<readonly Source[]>
  /** What the user has said for good (RFC 4827). */
  readonly hardStateOf: (owner: number) => Found<Source | undefined>
  readonly devicesOf: (owner: number) => Found<readonly Device[]>
}

/** What is known of somebody's presence, put together (RFC 3903 §5, RFC 4479 §3). */
export class PresenceState {
  readonly #needs: Needs
  /** What was read of a publication, by its content. */
  readonly #read = new WeakMap<Buffer, readonly PresencePart[]>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Of services all; of person and devices with one id the newest. Who publishes nothing is seen by registration. */
  async of(owner: number, aor: string): Promise<readonly PresencePart[]> {
    const published = await this.#needs.publicationsOf(owner)
    const hard = await this.#needs.hardStateOf(owner)
    const sources = [...published, ...(hard === undefined ? [] : [hard])]
    const parts = distinct(sources.flatMap(({ content }) => this.#partsOf(content)))
    if (published.length > 0) return parts
    const devices = await this.#needs.devicesOf(owner)
    return [...registeredServices(aor, devices), ...parts]
  }

  #partsOf(content: Buffer): readonly PresencePart[] {
    const known = this.#read.get(content)
    if (known !== undefined) return known
    const parts = readQuietly(content)
    this.#read.set(content, parts)
    return parts
  }
}

/** A tuple whose id another device uses as well gets one of its own; the newest person is the person. */
function distinct(parts: readonly PresencePart[]): PresencePart[] {
  const seen = new Set<string>()
  const chosen: PresencePart[] = []
  for (const part of parts) {
    const key = part.kind === 'person' ? 'person' : `${part.kind} ${part.id}`
    if (part.kind === 'note' || !seen.has(key)) chosen.push(part)
    else if (part.kind === 'tuple') chosen.push(renamed(part, seen))
    seen.add(key)
  }
  return chosen
}

function renamed(part: PresencePart, seen: Set<string>): PresencePart {
  let id = part.id
  for (let number = 2; seen.has(`tuple ${id}`); number++) id = `${part.id}-${number}`
  seen.add(`tuple ${id}`)
  return { ...part, id, xml: part.xml.replace(/(\sid\s*=\s*)(?:"[^"]*"|'[^']*')/, `$1"${id}"`) }
}

/** A document of pidf-manipulation was validated when it came; one that is wrong all the same tells nothing. */
function readQuietly(content: Buffer): readonly PresencePart[] {
  try {
    return readPidf(content).parts
  } catch (err) {
    if (err instanceof MalformedPidf) return []
    throw err
  }
}
