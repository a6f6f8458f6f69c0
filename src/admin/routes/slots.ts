import { VipswapError } from '../../core/errors.ts'
import type { Command } from '../../contracts/command.ts'
import {
  ChangeUpgradeBody,
  ConfigurationBody,
  CreateBody,
  PlanBody,
  RollbackBody,
  StatusBody,
  UpgradeBody,
  WalkBody,
} from '../../contracts/api.ts'
import { NAME_PATTERN, type Slot } from '../../model/common.ts'
import { WaitQuery, accept } from '../accept.ts'
import { SlotParams, findDeployment, type AdminApp, type AdminContext } from '../context.ts'

const PATH = '/v1/services/:service/slots/:slot'

export function slotRoutes(app: AdminApp, context: AdminContext): void {
  const { api } = context
  const mutation = { params: SlotParams, querystring: WaitQuery }

  app.get(PATH, { schema: { params: SlotParams } }, ({ params }) => findDeployment(api, params.service, params.slot))
  app.post(PATH, { schema: { ...mutation, body: CreateBody } }, async (request, reply) => {
    const { service, slot } = request.params
    if (!new RegExp(NAME_PATTERN).test(service)) {
      throw new VipswapError(
        'invalid_request',
        `"${service}" cannot name a service; write a letter, then letters, digits, _ or -`,
      )
    }
    const { replace = false, ...body } = request.body
    return accept(context, { kind: 'create', service, slot, replace, ...body }, request, reply)
  })
  app.delete(PATH, { schema: mutation }, async (request, reply) =>
    accept(context, { kind: 'delete', ...request.params }, request, reply),
  )
  app.post(`${PATH}/upgrade`, { schema: { ...mutation, body: UpgradeBody } }, async (request, reply) =>
    accept(context, upgradeCommand(request.params, request.body), request, reply),
  )
  app.patch(`${PATH}/upgrade`, { schema: { ...mutation, body: ChangeUpgradeBody } }, async (request, reply) => {
    const { mode } = request.body
    if (mode === undefined)
      throw new VipswapError('invalid_request', 'body: mode is missing; there is nothing to change')
    return accept(context, { kind: 'changeUpgrade', ...request.params, mode }, request, reply)
  })
  app.post(`${PATH}/walk`, { schema: { ...mutation, body: WalkBody } }, async (request, reply) =>
    accept(context, { kind: 'walk', ...request.params, ...request.body }, request, reply),
  )
  app.post(`${PATH}/rollback`, { schema: { ...mutation, body: RollbackBody } }, async (request, reply) =>
    accept(context, { kind: 'rollback', ...request.params, ...request.body }, request, reply),
  )
  app.post(`${PATH}/configuration`, { schema: { ...mutation, body: ConfigurationBody } }, async (request, reply) =>
    accept(context, { kind: 'configure', ...request.params, ...request.body }, request, reply),
  )
  app.post(`${PATH}/status`, { schema: { ...mutation, body: StatusBody } }, async (request, reply) =>
    accept(context, { kind: 'status', ...request.params, ...request.body }, request, reply),
  )
  app.post(`${PATH}/plan`, { schema: { params: SlotParams, body: PlanBody } }, async request => {
    const { swap, upgrade } = request.body
    if (swap !== undefined && upgrade !== undefined) {
      throw new VipswapError('invalid_request', 'body: give swap or upgrade, not both')
    }
    const where = request.params
    return api.plan(
      upgrade === undefined ? { kind: 'swap', service: where.service, ...swap } : upgradeCommand(where, upgrade),
    )
  })
}

function upgradeCommand(where: { service: string; slot: Slot }, body: UpgradeBody): Command {
  const { force = false, restartUnchanged = false, overlap = false, ...rest } = body
  return { kind: 'upgrade', ...where, force, restartUnchanged, overlap, ...rest }
}
