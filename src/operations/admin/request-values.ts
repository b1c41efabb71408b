import type { FastifyRequest } from 'fastify'
import { Failure } from '../../failure.ts'

/** A query carries text. What the document calls a number or a boolean becomes one here; bodies are not touched. */
export async function readQueryValues(request: FastifyRequest): Promise<void> {
  const schema = request.routeOptions.schema?.querystring as QuerySchema | undefined
  const query = request.query as Record<string, unknown>
  for (const [name, { type }] of Object.entries(schema?.properties ?? {})) {
    const value = query[name]
    if (typeof value === 'string') query[name] = typedValue(value, type)
  }
}

interface QuerySchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>
}

/** Left as text where it is none; the schema then refuses it. */
function typedValue(text: string, type: string | undefined): unknown {
  if (type === 'integer' && /^\d{1,9}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

/** A request without Content-Type has no body, and none is checked against the schema of a type: required all the same. */
export async function requireBody(request: FastifyRequest): Promise<void> {
  if (request.routeOptions.schema?.body !== undefined && request.body === undefined) {
    throw new Failure('malformed', 'a body of type application/json is required')
  }
}
