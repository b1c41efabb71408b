import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  XmlBufferInputProvider,
  XmlDocument,
  XmlValidateError,
  XsdValidator,
  xmlRegisterInputProvider,
} from 'libxml2-wasm'
import { parse } from './document-text.ts'
import { XcapConflict } from './xcap-conflict.ts'

const folder = new URL('../../../../interfaces/xml/', import.meta.url)
const prefix = 'schema:/'

/** The schemas of interfaces/xml. Nothing else can be reached from them, or from a document: they are read into memory. */
export class Schemas {
  readonly #validators = new Map<string, XsdValidator>()
  readonly #files: ReadonlyMap<string, Buffer>

  constructor() {
    const names = readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith('.xsd'))
    this.#files = new Map(names.map((name) => [name, readFileSync(new URL(name, folder))]))
    registerOnce(this.#files)
  }

  /**
   * Throws XcapConflict('not-well-formed'); and where there is a schema, XcapConflict('schema-validation-error') with what
   * the validator says first.
   */
  check(schema: string | undefined, content: Buffer): void {
    const document = parse(content)
    try {
      if (schema !== undefined) this.#validatorOf(schema).validate(document)
    } catch (err) {
      if (!(err instanceof XmlValidateError)) throw err
      const phrase = err.details[0]?.message.trim() ?? ''
      throw new XcapConflict({ kind: 'schema-validation-error', phrase })
    } finally {
      document.dispose()
    }
  }

  close(): void {
    for (const validator of this.#validators.values()) validator.dispose()
    this.#validators.clear()
  }

  #validatorOf(schema: string): XsdValidator {
    return this.#validators.get(schema) ?? this.#load(schema)
  }

  #load(schema: string): XsdValidator {
    const source = this.#files.get(schema)
    if (source === undefined) throw new Error(`interfaces/xml has no ${schema}`)
    const document = XmlDocument.fromBuffer(source, { url: `${prefix}${schema}` })
    try {
      const validator = XsdValidator.fromDoc(document)
      this.#validators.set(schema, validator)
      return validator
    } finally {
      document.dispose()
    }
  }
}

let registered = false

/** One table of inputs for the whole process: the library has no other. */
function registerOnce(files: ReadonlyMap<string, Buffer>): void {
  if (registered) return
  registered = true
  const known = Object.fromEntries([...files].map(([name, source]) => [`${prefix}${name}`, source]))
  xmlRegisterInputProvider(new XmlBufferInputProvider(known))
}
