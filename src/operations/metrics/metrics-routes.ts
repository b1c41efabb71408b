import type { HttpRoutes } from '../http-server.ts'
import type { Metrics } from './metrics.ts'

/** /metrics, for Prometheus. Numbers only: nothing in them names a user. */
export function metricsRoutes(metrics: Metrics): HttpRoutes {
  return async (app) => {
    app.get('/metrics', async (_request, reply) => {
      reply.type(metrics.contentType)
      return await metrics.text()
    })
  }
}
