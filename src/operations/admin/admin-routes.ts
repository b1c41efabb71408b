import { fileURLToPath } from 'node:url'
import glue from 'fastify-openapi-glue'
import type { HttpRoutes } from '../http-server.ts'
import { type AdminNeeds, AdminOperations } from './admin-operations.ts'
import { AdminToken } from './admin-token.ts'
import { readQueryValues, requireBody } from './request-values.ts'

export const adminDocument = fileURLToPath(new URL('../../../interfaces/rest/admin.openapi.yaml', import.meta.url))

export interface AdminOptions {
  readonly token: string | undefined
  readonly now: () => number
}

/** /admin/v1, as its OpenAPI document says. The token is checked before anything else of a request is looked at. */
export function adminRoutes(needs: AdminNeeds, { token, now }: AdminOptions): HttpRoutes {
  const operations = new AdminOperations(needs)
  const guard = new AdminToken(token, now)
  return async (app) => {
    app.addHook('onRequest', async (request) => guard.check(request.headers.authorization, request.ip))
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('cache-control', 'no-store')
    })
    app.addHook('preValidation', readQueryValues)
    app.addHook('preValidation', requireBody)
    await app.register(glue, {
      specification: adminDocument,
      prefix: '/admin/v1',
      operationResolver: (operationId) => handlerOf(operations, operationId),
    })
  }
}

function handlerOf(operations: AdminOperations, operationId: string) {
  const handler = operations[operationId as keyof AdminOperations]
  if (handler === undefined) throw new Error(`${operationId} of admin.openapi.yaml has no handler`)
  return handler.bind(operations)
}
