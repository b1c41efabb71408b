import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const path = fileURLToPath(new URL('../../../../interfaces/rest/message-store.openapi.yaml', import.meta.url))

interface Operation {
  readonly operationId: string
  readonly security?: readonly { readonly user?: readonly string[] }[]
}

interface NmsDocument {
  readonly specification: object
  /** By operationId. */
  readonly scopes: ReadonlyMap<string, string>
}

let known: NmsDocument | undefined

/** The OpenAPI document of the message store, and what scope each of its operations needs. */
export function nmsDocument(): NmsDocument {
  known ??= readDocument()
  return known
}

function readDocument(): NmsDocument {
  const specification = parse(readFileSync(path, 'utf8'), { maxAliasCount: 0 }) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
  const scopes = new Map<string, string>()
  for (const one of Object.values(specification.paths).flatMap((methods) => Object.values(methods))) {
    if (!isOperation(one)) continue
    const scope = one.security?.[0]?.user?.[0]
    if (scope === undefined) throw new Error(`${one.operationId} of message-store.openapi.yaml names no scope`)
    scopes.set(one.operationId, scope)
  }
  return { specification, scopes }
}

const isOperation = (value: unknown): value is Operation =>
  typeof value === 'object' && value !== null && 'operationId' in value
