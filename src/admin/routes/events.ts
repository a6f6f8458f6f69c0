import type { ServerResponse } from 'node:http'
import { Type } from 'typebox'
import type { EventView } from '../../contracts/api/event.ts'
import { CountText, FlagText, endOf, isOn, type AdminApp, type AdminContext } from '../context.ts'

const EventsQuery = Type.Object({
  after: Type.Optional(CountText),
  service: Type.Optional(Type.String()),
  follow: Type.Optional(FlagText),
})
const Headers = Type.Object({ 'last-event-id': Type.Optional(CountText) })
/** A reader this far behind is cut; it resumes from its last event. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024

/**
 * `GET /v1/events`: the timeline as server-sent events, from after `Last-Event-ID` (or `?after=`; neither: all that is
 * kept), then as it grows; `?follow=0` ends after what there is. `?service=` keeps one service's.
 */
export function eventRoutes(app: AdminApp, { api, closing, heartbeatMs }: AdminContext): void {
  app.get('/v1/events', { schema: { querystring: EventsQuery, headers: Headers } }, ({ query, headers }, reply) => {
    const after = Number(headers['last-event-id'] ?? query.after ?? 0)
    const wanted = (event: EventView): boolean => query.service === undefined || event.service === query.service
    reply.hijack()
    const response = reply.raw
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write('retry: 1000\n\n')
    const feed = api.events(after)
    for (const event of feed.history) if (wanted(event)) send(response, event)
    if (query.follow !== undefined && !isOn(query.follow)) {
      response.end()
      return
    }
    const unsubscribe = feed.subscribe(event => {
      if (!wanted(event)) return
      send(response, event)
      if (response.writableLength > MAX_PENDING_BYTES) response.destroy()
    })
    const heartbeat = setInterval(() => response.write(': \n\n'), heartbeatMs)
    const end = endOf(response, closing)
    const stop = (): void => {
      clearInterval(heartbeat)
      unsubscribe()
      response.end()
    }
    if (end.aborted) stop()
    else end.addEventListener('abort', stop, { once: true })
  })
}

function send(response: ServerResponse, event: EventView): void {
  // JSON has no raw line breaks, so one data line is enough; a kind is a word.
  response.write(`id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`)
}
