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
  type ConfigurationText,
} from '../../contracts/api/bodies.ts'
import type { Certificate } from '../../model/certificate.ts'
import { NAME_PATTERN } from '../../model/common.ts'
import type { Slot } from '../../model/slot.ts'
import type { Configuration } from '../../model/definition.ts'
import { deploymentFor } from '../access/permissions.ts'
import { WaitQuery, accept } from '../accept.ts'
import { readConfiguration } from '../configuration.ts'
import { awaited } from '../long-poll.ts'
import { tagged } from '../precondition.ts'
import { readOptionalPolicy } from '../policy.ts'
import { SlotParams, findDeployment, type AdminApp, type AdminContext } from '../context.ts'
import * as calls from '../calls/deployments.ts'

const PATH = '/v1/services/:service/slots/:slot'

export function slotRoutes(app: AdminApp, context: AdminContext): void {
  const { api } = context
  const waiting = { params: SlotParams, querystring: WaitQuery }

  app.get(PATH, { schema: waiting, config: { call: calls.GET_SLOT } }, async (request, reply) => {
    const { service, slot } = request.params
    const find = () =>
      ({ kind: 'deployment', view: deploymentFor(request.caller, findDeployment(api, service, slot)) }) as const
    return tagged(request, reply, await awaited(context, request, reply, find))
  })
  app.post(
    PATH,
    { schema: { ...waiting, body: CreateBody }, config: { call: calls.CREATE } },
    async (request, reply) => {
      const { service, slot } = request.params
      if (!new RegExp(NAME_PATTERN).test(service)) {
        throw new VipswapError(
          'invalid_request',
          `"${service}" cannot name a service; write a letter, then letters, digits, _ or -`,
        )
      }
      const { replace = false, configuration, ...body } = request.body
      const { certificates, ...read } = readOptional(configuration)
      return accept(context, { kind: 'create', service, slot, replace, ...body, ...read }, request, reply, certificates)
    },
  )
  app.delete(PATH, { schema: waiting, config: { call: calls.DELETE } }, async (request, reply) =>
    accept(context, { kind: 'delete', ...request.params }, request, reply),
  )
  app.post(
    `${PATH}/upgrade`,
    { schema: { ...waiting, body: UpgradeBody }, config: { call: calls.UPGRADE } },
    async (request, reply) => {
      const { command, certificates } = upgradeCommand(request.params, request.body)
      return accept(context, command, request, reply, certificates)
    },
  )
  app.patch(
    `${PATH}/upgrade`,
    { schema: { ...waiting, body: ChangeUpgradeBody }, config: { call: calls.CHANGE_UPGRADE } },
    async (request, reply) => {
      const { mode, policy } = request.body
      if (mode === undefined && policy === undefined)
        throw new VipswapError('invalid_request', 'body: mode and policy are missing; there is nothing to change')
      const change = { ...(mode === undefined ? {} : { mode }), ...readOptionalPolicy(policy) }
      return accept(context, { kind: 'changeUpgrade', ...request.params, ...change }, request, reply)
    },
  )
  app.post(
    `${PATH}/walk`,
    { schema: { ...waiting, body: WalkBody }, config: { call: calls.WALK } },
    async (request, reply) => accept(context, { kind: 'walk', ...request.params, ...request.body }, request, reply),
  )
  app.post(
    `${PATH}/rollback`,
    { schema: { ...waiting, body: RollbackBody }, config: { call: calls.ROLLBACK } },
    async (request, reply) => accept(context, { kind: 'rollback', ...request.params, ...request.body }, request, reply),
  )
  app.post(
    `${PATH}/configuration`,
    { schema: { ...waiting, body: ConfigurationBody }, config: { call: calls.CONFIGURE } },
    async (request, reply) => {
      const { configuration: sent, ...body } = request.body
      const { configuration, certificates } = readConfiguration(sent)
      const command = { kind: 'configure', ...request.params, ...body, configuration } as const
      return accept(context, command, request, reply, certificates)
    },
  )
  app.post(
    `${PATH}/status`,
    { schema: { ...waiting, body: StatusBody }, config: { call: calls.SET_STATUS } },
    async (request, reply) => accept(context, { kind: 'status', ...request.params, ...request.body }, request, reply),
  )
  app.post(
    `${PATH}/plan`,
    { schema: { params: SlotParams, body: PlanBody }, config: { call: calls.PLAN } },
    async request => {
      const { swap, upgrade } = request.body
      if (swap !== undefined && upgrade !== undefined) {
        throw new VipswapError('invalid_request', 'body: give swap or upgrade, not both')
      }
      const where = request.params
      if (upgrade === undefined) return api.plan({ kind: 'swap', service: where.service, ...swap })
      const { command, certificates } = upgradeCommand(where, upgrade)
      return api.plan(command, certificates)
    },
  )
}

function upgradeCommand(
  where: { service: string; slot: Slot },
  body: UpgradeBody,
): { command: Command; certificates: readonly Certificate[] } {
  const { force = false, restartUnchanged = false, overlap = false, configuration, policy, ...rest } = body
  const { certificates, ...read } = readOptional(configuration)
  const flags = { force, restartUnchanged, overlap, ...readOptionalPolicy(policy) }
  return { command: { kind: 'upgrade', ...where, ...flags, ...rest, ...read }, certificates }
}

function readOptional(sent: ConfigurationText | undefined): {
  configuration?: Configuration
  certificates: readonly Certificate[]
} {
  return sent === undefined ? { certificates: [] } : readConfiguration(sent)
}
