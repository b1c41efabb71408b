import type { FastifyInstance } from 'fastify'

/** One thing the server cannot serve without: what is wrong with it in a few words, or undefined. */
export type Readiness = Readonly<Record<string, () => string | undefined>>

/** For load balancers and orchestrators. Live: the event loop turns. Ready: requests can be served now. */
export function healthRoutes(readiness: Readiness): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('cache-control', 'no-store')
    })
    app.get('/health/live', async () => ({ status: 'live' }))
    app.get('/health/ready', async (_request, reply) => {
      const reasons = reasonsOf(readiness)
      if (reasons.length === 0) return { status: 'ready' }
      reply.code(503)
      return { status: 'unavailable', reasons }
    })
  }
}

function reasonsOf(readiness: Readiness): string[] {
  return Object.entries(readiness).flatMap(([name, problem]) => {
    const found = problem()
    return found === undefined ? [] : [`${name}: ${found}`]
  })
}
