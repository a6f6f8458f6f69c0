import type { ExplainView } from '../contracts/api/explain.ts'
import type { InstanceView } from '../contracts/api/instance.ts'
import type { ControllerApi } from '../controller/controller-api.ts'
import { VipswapError } from '../core/errors.ts'
import type { Slot } from '../model/slot.ts'
import { findDeployment } from './context.ts'

const LINES = 10
const TAIL_BYTES = 4096
/** A node that does not answer must not keep the rest of the answer. */
const LOG_TIMEOUT_MS = 1000

/** Why an instance is as it is: its state in words, what health says of it, what it wrote last. */
export async function explain(api: ControllerApi, service: string, slot: Slot, id: string): Promise<ExplainView> {
  const deployment = findDeployment(api, service, slot)
  const instance = deployment.instances.find(each => each.id === id)
  if (instance === undefined) {
    const known = deployment.instances.map(each => each.id)
    const those = `there are: ${known.join(', ')}`
    throw new VipswapError('instance_not_found', `there is no instance "${id}" in slot ${slot} of ${service}; ${those}`)
  }
  const health = (api.health(service, slot)?.evaluations ?? []).filter(each => each.instance === id)
  const { upgradeStatus } = deployment
  const stuck = upgradeStatus?.stuck?.find(each => each.instance === id)
  return {
    instance,
    reasons: [
      `${instance.status}: ${instance.detail === '' ? 'nothing more is known' : instance.detail}`,
      ROUTING[instance.routing],
      ...(instance.drained ? ['an operator took it out of rotation: `vipswap undrain` puts it back'] : []),
      ...(instance.restarts > 0 ? [`it was started again ${instance.restarts} times`] : []),
      ...(upgradeStatus === undefined
        ? []
        : [`its deployment is being changed: ${upgradeStatus.waitingFor ?? 'the walk goes on'}`]),
      ...(stuck === undefined ? [] : [`the walk is stuck on it: ${stuck.reason}`]),
    ],
    health: health.map(({ state, description }) => ({ state, description })),
    log: instance.node === '' ? [] : await lastLines(api, service, slot, id),
  }
}

const ROUTING = {
  in: 'it is in the routing table and chosen from',
  draining: 'it finishes what it has and gets nothing new',
  out: 'it is not in the routing table',
} as const satisfies Record<InstanceView['routing'], string>

async function lastLines(api: ControllerApi, service: string, slot: Slot, id: string): Promise<string[]> {
  let text = ''
  try {
    const signal = AbortSignal.timeout(LOG_TIMEOUT_MS)
    for await (const piece of api.logs(service, slot, id, { tail: TAIL_BYTES, follow: false, signal })) text += piece
  } catch {
    // Its node is away: that is among the reasons already.
  }
  return text
    .trimEnd()
    .split('\n')
    .filter(line => line !== '')
    .slice(-LINES)
}
