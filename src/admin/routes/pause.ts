import { PAUSE, PauseBody } from '../../contracts/api/pause.ts'
import { formatDuration, parseDuration } from '../../core/duration.ts'
import { VipswapError } from '../../core/errors.ts'
import { WaitQuery, accept } from '../accept.ts'
import { SlotParams, type AdminApp, type AdminContext } from '../context.ts'

const PATH = '/v1/services/:service/slots/:slot'

/** Holds and releases what arrives at a slot's addresses. */
export function pauseRoutes(app: AdminApp, context: AdminContext): void {
  const mutation = { params: SlotParams, querystring: WaitQuery }
  app.post(`${PATH}/pause`, { schema: { ...mutation, body: PauseBody } }, async (request, reply) => {
    const { timeout } = request.body
    const timeoutMs = timeout === undefined ? PAUSE.defaultMs : parseDuration(timeout)
    if (timeoutMs <= 0 || timeoutMs > PAUSE.maxMs) {
      const most = formatDuration(PAUSE.maxMs)
      throw new VipswapError(
        'invalid_request',
        `body.timeout: found "${timeout ?? ''}"; write a duration of up to ${most}`,
      )
    }
    return accept(context, { kind: 'pause', ...request.params, timeoutMs }, request, reply)
  })
  app.post(`${PATH}/resume`, { schema: mutation }, async (request, reply) =>
    accept(context, { kind: 'resume', ...request.params }, request, reply),
  )
}
