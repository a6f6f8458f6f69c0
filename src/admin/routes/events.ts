import type { ServerResponse } from 'node:http'
import { Type } from 'typebox'
import { TIMELINE_HEADER } from '../../contracts/timeline.ts'
import type { EventView, GapView } from '../../contracts/api/event.ts'
import { CountText, FlagText, endOf, headersOf, isOn, type AdminApp, type AdminContext } from '../context.ts'
import { EVENTS } from '../calls/operations.ts'

const EventsQuery = Type.Object({
  after: Type.Optional(CountText),
  service: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String({ pattern: '^[a-z-]+(,[a-z-]+)*$', description: 'kinds, with commas between' })),
  follow: Type.Optional(FlagText),
})
const Headers = Type.Object({ 'last-event-id': Type.Optional(CountText) })
/** A reader this far behind is cut; it resumes from its last event. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024

/**
 * `GET /v1/events`: the timeline as server-sent events, from after `Last-Event-ID` (or `?after=`; neither: all that is
 * kept), then as it grows. Where some of that is not kept any more, a `gap` comes first. `?follow=0` ends after what there is. `?service=` keeps one service's, `?kind=a,b` some kinds.
 */
export function eventRoutes(app: AdminApp, { api, closing, heartbeatMs }: AdminContext): void {
  app.get(
    '/v1/events',
    { schema: { querystring: EventsQuery, headers: Headers }, config: { call: EVENTS } },
    ({ query, headers }, reply) => {
      const after = Number(headers['last-event-id'] ?? query.after ?? 0)
      const kinds = query.kind === undefined ? null : new Set(query.kind.split(','))
      const wanted = (event: EventView): boolean =>
        (query.service === undefined || event.service === query.service) && (kinds === null || kinds.has(event.kind))
      const feed = api.events(after)
      reply.hijack()
      const response = reply.raw
      response.writeHead(200, {
        ...headersOf(reply),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        [TIMELINE_HEADER]: feed.timeline,
      })
      response.write('retry: 1000\n\n')
      if (feed.missed > 0) response.write(gapText(after, feed.missed))
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
    },
  )
}

/** An event of its own without an `id:`, so that nobody resumes from it. */
function gapText(after: number, missed: number): string {
  return `event: gap\ndata: ${JSON.stringify({ kind: 'gap', after, missed } satisfies GapView)}\n\n`
}

function send(response: ServerResponse, event: EventView): void {
  // JSON has no raw line breaks, so one data line is enough; a kind is a word.
  response.write(`id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`)
}
