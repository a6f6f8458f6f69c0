import type { InstanceObservation } from '../../contracts/assignment.ts'
import type { InstanceView } from '../../contracts/api.ts'
import { specOf } from '../../fabric/instances.ts'
import { instanceKey, targetKey, type FabricState, type InstanceRecord, type RoleRecord } from '../../fabric/state.ts'
import type { InstanceStatus } from '../../model/states.ts'

/** One role instance as operators see it, in Azure's words. */
export function viewInstance(state: FabricState, role: RoleRecord, instance: InstanceRecord): InstanceView {
  const node = state.observed.nodes[instance.node]
  const seen = node?.instances[instanceKey(role.deployment, instance.id)]
  const upstream = instance.node === ''
  return {
    id: instance.id,
    role: role.name,
    version: specOf(role, instance.spec).version,
    status: upstream ? 'ReadyRole' : statusOf(instance, seen, node?.online ?? false),
    upgradeDomain: instance.upgradeDomain,
    faultDomain: instance.faultDomain,
    node: instance.node,
    routing: instance.published?.membership ?? 'out',
    inFlight: inFlightOn(state, targetKey(role.deployment, instance)),
    restarts: seen?.restarts ?? 0,
    pid: seen?.pid ?? null,
    detail: upstream ? 'fronts what already runs' : detailOf(state, instance, seen, node?.online ?? false),
  }
}

/** Requests and tunnels in flight on a target, over all proxies, as last reported. */
function inFlightOn(state: FabricState, target: string): number {
  return Object.values(state.observed.proxies).reduce((sum, proxy) => sum + (proxy.status?.inFlight[target] ?? 0), 0)
}

function statusOf(instance: InstanceRecord, seen: InstanceObservation | undefined, online: boolean): InstanceStatus {
  switch (instance.stage) {
    case 'planned':
      return 'StartingRole'
    case 'stopped':
      return 'StoppedVM'
    case 'draining':
    case 'retiring':
    case 'stopping':
      return 'StoppingRole'
    case 'starting':
    case 'serving':
      break
  }
  if (seen === undefined || !online) return instance.stage === 'starting' ? 'StartingRole' : 'RoleStateUnknown'
  if (seen.incarnation !== instance.incarnation) return 'StartingRole'
  switch (seen.state) {
    case 'ready':
      return 'ReadyRole'
    case 'unresponsive':
      return 'UnresponsiveRole'
    case 'cycling':
      return 'CyclingRole'
    case 'failed':
      return 'FailedStartingRole'
    case 'preparing':
    case 'starting':
    case 'backoff':
      return instance.hopeless ? 'CyclingRole' : 'StartingRole'
    case 'stopping':
      return 'StoppingRole'
    case 'stopped':
      return 'StoppedVM'
  }
}

function detailOf(
  state: FabricState,
  instance: InstanceRecord,
  seen: InstanceObservation | undefined,
  online: boolean,
): string {
  if (state.nodes[instance.node] === undefined) return `node ${instance.node} is not known`
  if (!online) return `node ${instance.node} is not connected`
  switch (instance.stage) {
    case 'planned':
      return 'waits for its addresses, its package, or its upgrade domain'
    case 'draining':
      return 'finishes what it has'
    case 'retiring':
      return 'waits until every proxy has taken it out of the table'
    case 'stopping':
    case 'stopped':
    case 'starting':
    case 'serving':
      return seen?.detail ?? 'waits for its node'
  }
}
