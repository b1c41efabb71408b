import type { Demo } from '../operations/demo.ts'
import {
  AdminSearches,
  adminRoutes,
  type HttpRoutes,
  HttpServer,
  healthRoutes,
  MessageSearch,
  metricsRoutes,
} from '../operations/index.ts'
import type { Parts } from './parts.ts'
import type { Signalling } from './signalling.ts'

export function buildHttp(
  parts: Parts,
  signalling: Signalling,
  doors: readonly HttpRoutes[],
  isServing: () => boolean,
  demo: Demo | undefined,
): HttpServer {
  const { config, log, metrics, alarms, database, subscribers, bindings } = parts
  const searches = new AdminSearches(database)
  metrics.bindings(() => searches.countBindings())
  metrics.deferred(() => searches.countDeferred())
  const { deferred, stored } = signalling.messaging
  const admin = adminRoutes(
    {
      subscribers,
      bindings,
      deferred,
      messages: stored,
      waiting: signalling.messaging.controller.waiting,
      searches,
      messageSearch: new MessageSearch(database),
      alarms,
      log,
    },
    { token: config.admin.token ?? demo?.adminToken, now: Date.now },
  )
  const server = new HttpServer({ listen: config.http.listen, log })
  for (const door of doors) server.register(door)
  return server
    .register(metricsRoutes(metrics))
    .register(admin)
    .register(
      healthRoutes({
        database: () => (database.available() ? undefined : 'the database is away'),
        sip: () => (isServing() ? signalling.edge.outage : 'does not serve'),
      }),
    )
}
