import type { FastifyReply } from 'fastify'
import { API_PAGE, ERRORS_PAGE, OPENAPI } from '../calls/documents.ts'
import type { AdminApp } from '../context.ts'
import { apiPage } from '../openapi/api-page.ts'
import { documentOf, type Route } from '../openapi/document.ts'
import { errorsPage } from '../openapi/errors-page.ts'
import { PAGE_POLICY } from '../openapi/html.ts'
import type { JsonObject } from '../openapi/json.ts'

/** What the API says of itself. Made when first asked for: by then every route is known. */
export function documentRoutes(app: AdminApp, routes: readonly Route[]): void {
  const document = once<JsonObject>(() => documentOf(routes))
  const human = once(() => apiPage(document()))
  const errors = once(errorsPage)

  app.get('/openapi.json', { config: { call: OPENAPI } }, () => document())
  app.get('/api', { config: { call: API_PAGE } }, (_request, reply) => sendPage(reply, human()))
  app.get('/api/errors', { config: { call: ERRORS_PAGE } }, (_request, reply) => sendPage(reply, errors()))
}

function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').header('content-security-policy', PAGE_POLICY).send(html)
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null
  return () => (made ??= { value: make() }).value
}
