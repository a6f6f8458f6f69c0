import { setTimeout as delay } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Type } from 'typebox'
import { errorMessage } from '../../core/errors.ts'
import type { OpenedInstance } from '../../contracts/api/open.ts'
import { WaitQuery, accept } from '../accept.ts'
import {
  CountText,
  FlagText,
  InstanceParams,
  endOf,
  findInstance,
  headersOf,
  isOn,
  type AdminApp,
  type AdminContext,
} from '../context.ts'
import { LOGS, OPEN, instanceCommand } from '../calls/instances.ts'
import { openPage } from '../road/open-page.ts'

const PATH = '/v1/services/:service/slots/:slot/instances/:instance'
const LogQuery = Type.Object({ follow: Type.Optional(FlagText), tail: Type.Optional(CountText) })
const DEFAULT_TAIL_BYTES = 64 * 1024
/** An error this soon is answered as one; later the text just ends. */
const FIRST_TEXT_MS = 250

export function instanceRoutes(app: AdminApp, context: AdminContext): void {
  const { api, keys } = context

  for (const kind of ['reboot', 'reimage', 'drain', 'undrain'] as const) {
    app.post(
      `${PATH}/${kind}`,
      { schema: { params: InstanceParams, querystring: WaitQuery }, config: { call: instanceCommand(kind) } },
      async (request, reply) => {
        const { service, slot, instance } = request.params
        findInstance(api, service, slot, instance)
        return accept(context, { kind, service, slot, instance }, request, reply)
      },
    )
  }

  app.post(`${PATH}/open`, { schema: { params: InstanceParams }, config: { call: OPEN } }, request => {
    const { service, slot, instance } = request.params
    findInstance(api, service, slot, instance)
    const { base, expiresAt } = openPage(keys, request.params, request)
    return { url: `${base}/`, expiresAt: new Date(expiresAt).toISOString() } satisfies OpenedInstance
  })

  app.get(
    `${PATH}/logs`,
    { schema: { params: InstanceParams, querystring: LogQuery }, config: { call: LOGS } },
    async (request, reply) => {
      const { params, query } = request
      const { service, slot, instance } = params
      findInstance(api, service, slot, instance)
      const text = api.logs(service, slot, instance, {
        tail: query.tail === undefined ? DEFAULT_TAIL_BYTES : Number(query.tail),
        follow: isOn(query.follow),
        signal: endOf(reply.raw, context.closing),
      })
      const stream = Readable.from(await startedEarly(text), { objectMode: false })
      // Headers first: a log that is silent now is answered, too.
      reply.hijack()
      reply.raw.writeHead(200, { ...headersOf(reply), 'content-type': 'text/plain; charset=utf-8' })
      reply.raw.flushHeaders()
      await pipeline(stream, reply.raw).catch((error: unknown) => {
        request.log.debug({ error: errorMessage(error) }, 'a log broke off')
      })
    },
  )
}

/** The same text, once its first piece is there or it has not failed for a moment. */
async function startedEarly(text: AsyncIterable<string>): Promise<AsyncIterable<Buffer>> {
  const iterator = text[Symbol.asyncIterator]()
  const first = iterator.next()
  await Promise.race([first, delay(FIRST_TEXT_MS)])
  return (async function* () {
    for (let piece = await first; piece.done !== true; piece = await iterator.next()) {
      if (piece.value !== '') yield Buffer.from(piece.value)
    }
  })()
}
